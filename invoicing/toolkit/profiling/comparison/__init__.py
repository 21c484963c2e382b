"""The same work by each loading strategy, and how what it costs grows."""

from invoicing.toolkit.profiling.comparison.compare import compare_loading
from invoicing.toolkit.profiling.comparison.growth import Growth
from invoicing.toolkit.profiling.comparison.measured import Measured
from invoicing.toolkit.profiling.comparison.result import LoadingComparison
from invoicing.toolkit.profiling.comparison.strategies import Strategy

__all__ = ["Growth", "LoadingComparison", "Measured", "Strategy", "compare_loading"]
