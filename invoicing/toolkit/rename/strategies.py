"""Every strategy, and the one place that chooses between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.view.strategy import ViewStrategy

if TYPE_CHECKING:
    from invoicing.toolkit.rename.strategy import RenameStrategy

# The first is taken where none is named.
STRATEGIES: tuple[RenameStrategy, ...] = (ColumnsStrategy(), ViewStrategy())


def strategy_of(name: str) -> RenameStrategy:
    """Return the strategy of that name."""
    return next(strategy for strategy in STRATEGIES if strategy.name == name)
