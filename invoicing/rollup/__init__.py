"""The exact roll-up of the portfolio: built once, kept by triggers, folded now and then."""

from invoicing.rollup.build import build_rollup, drop_rollup
from invoicing.rollup.bulk import filled_at_once
from invoicing.rollup.check import check_rollup
from invoicing.rollup.fold import fold_if_built, fold_rollup
from invoicing.rollup.state import is_usable, rollup_state

__all__ = [
    "build_rollup",
    "check_rollup",
    "drop_rollup",
    "filled_at_once",
    "fold_if_built",
    "fold_rollup",
    "is_usable",
    "rollup_state",
]
