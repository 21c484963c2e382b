"""A comparison: what was measured, the strategy to use, and how both are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.comparison.advice import advice_of
from invoicing.toolkit.profiling.comparison.measured import Measurements
from invoicing.toolkit.profiling.comparison.tables import frame_of, grid_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from invoicing.toolkit.profiling.comparison.strategies import Strategy


@dataclass(frozen=True)
class LoadingComparison(Measurements):
    """The same work by each strategy, and which of them to use."""

    @property
    def recommended(self) -> Strategy:
        """The strategy to use."""
        return advice_of(self).strategy

    @property
    def recommendation(self) -> str:
        """The strategy to use and why, in one sentence."""
        return str(advice_of(self))

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with a row for each strategy and size."""
        return frame_of(self)

    def __rich__(self) -> Table:
        return grid_of(self).rich()

    def _repr_html_(self) -> str:
        return grid_of(self).html()
