"""Every strategy, and the one place that chooses between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.view.strategy import ViewStrategy

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.strategy import RenameStrategy, Wording

# The first is taken where none is named.
STRATEGIES: tuple[RenameStrategy, ...] = (ColumnsStrategy(), ViewStrategy())


def wording_of(name: str, target: Target) -> Wording:
    """Return what is said of that strategy, for a rename or for a change of the type alone."""
    strategy = strategy_of(name)
    return strategy.wording_of_type if target.keeps_name else strategy.wording


def strategy_of(name: str) -> RenameStrategy:
    """Return the strategy of that name."""
    return next(strategy for strategy in STRATEGIES if strategy.name == name)
