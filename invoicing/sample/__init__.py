"""Deterministic sample data, from one account to eight million invoices."""

from invoicing.sample.calendar import SAMPLE_AS_OF
from invoicing.sample.generate import DEFAULT_SEED, Chunk, generate
from invoicing.sample.load import (
    MOST_ACCOUNTS,
    MOST_INVOICES,
    Progress,
    SampleCounts,
    load_sample,
)
from invoicing.sample.practice import drop_practice, open_practice
from invoicing.sample.stage import drop_stage, open_stage
from invoicing.sample.traffic import NEW_CODE, OLD_CODE, Traffic
from invoicing.sample.traffic_code import CodeVersion
from invoicing.sample.traffic_figures import Failure, Outcome, TrafficFigures
from invoicing.sample.traffic_ledger import Ledger, LedgerDifference, LedgerReport, verify_ledger
from invoicing.sample.trial import Trial, try_under_traffic

__all__ = [
    "DEFAULT_SEED",
    "MOST_ACCOUNTS",
    "MOST_INVOICES",
    "NEW_CODE",
    "OLD_CODE",
    "SAMPLE_AS_OF",
    "Chunk",
    "CodeVersion",
    "Failure",
    "Ledger",
    "LedgerDifference",
    "LedgerReport",
    "Outcome",
    "Progress",
    "SampleCounts",
    "Traffic",
    "TrafficFigures",
    "Trial",
    "drop_practice",
    "drop_stage",
    "generate",
    "load_sample",
    "open_practice",
    "open_stage",
    "try_under_traffic",
    "verify_ledger",
]
