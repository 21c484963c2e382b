"""What is copied to the new column: NOT NULL, constraints, indexes, extended statistics."""

from invoicing.toolkit.rename.columns.copies.find import (
    find_copies,
    findings,
    refusals,
    taken_names,
)
from invoicing.toolkit.rename.columns.copies.index import IndexCopy
from invoicing.toolkit.rename.columns.copies.model import Copy
from invoicing.toolkit.rename.columns.copies.not_null import NotNullCopy
from invoicing.toolkit.rename.columns.copies.statistics import StatisticsCopy

__all__ = [
    "Copy",
    "IndexCopy",
    "NotNullCopy",
    "StatisticsCopy",
    "find_copies",
    "findings",
    "refusals",
    "taken_names",
]
