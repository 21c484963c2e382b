"""Rename a column of a live table: plan, expand, backfill, verify, contract; or roll back."""

from invoicing.toolkit.rename.blocker import Blocker
from invoicing.toolkit.rename.journal import Run
from invoicing.toolkit.rename.live import LiveSettings
from invoicing.toolkit.rename.model import (
    BackfillReport,
    Estimate,
    GateReport,
    Options,
    Phase,
    Plan,
    PlanFinding,
    Progress,
    RowCounts,
    Status,
    Step,
    Target,
    VerifyReport,
)
from invoicing.toolkit.rename.rename import Rename
from invoicing.toolkit.rename.retype.target import type_of
from invoicing.toolkit.rename.status import Snapshot
from invoicing.toolkit.rename.strategies import strategy_of, wording_of

__all__ = [
    "BackfillReport",
    "Blocker",
    "Estimate",
    "GateReport",
    "LiveSettings",
    "Options",
    "Phase",
    "Plan",
    "PlanFinding",
    "Progress",
    "Rename",
    "RowCounts",
    "Run",
    "Snapshot",
    "Status",
    "Step",
    "Target",
    "VerifyReport",
    "strategy_of",
    "type_of",
    "wording_of",
]
