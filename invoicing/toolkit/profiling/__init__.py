"""Record what code asks of its database: which statements, from which lines, at what cost."""

from invoicing.toolkit.profiling.allowances import allow
from invoicing.toolkit.profiling.budget import QueryBudget
from invoicing.toolkit.profiling.comparison import (
    Growth,
    LoadingComparison,
    Measured,
    Strategy,
    compare_loading,
)
from invoicing.toolkit.profiling.findings import SLUGS, Cost, Finding, Fix, Thresholds
from invoicing.toolkit.profiling.fingerprint import fingerprint_of
from invoicing.toolkit.profiling.recorder import Recorder, record_queries
from invoicing.toolkit.profiling.statement import (
    Allowance,
    Caller,
    Cause,
    EntityRows,
    Identity,
    Statement,
    Transaction,
)

__all__ = [
    "SLUGS",
    "Allowance",
    "Caller",
    "Cause",
    "Cost",
    "EntityRows",
    "Finding",
    "Fix",
    "Growth",
    "Identity",
    "LoadingComparison",
    "Measured",
    "QueryBudget",
    "Recorder",
    "Statement",
    "Strategy",
    "Thresholds",
    "Transaction",
    "allow",
    "compare_loading",
    "fingerprint_of",
    "record_queries",
]
