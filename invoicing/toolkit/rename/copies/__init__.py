"""What is copied to the new column: NOT NULL, constraints, indexes, extended statistics."""

from invoicing.toolkit.rename.copies.find import find_copies, findings, taken_names
from invoicing.toolkit.rename.copies.index import IndexCopy
from invoicing.toolkit.rename.copies.model import Copy
from invoicing.toolkit.rename.copies.not_null import NotNullCopy
from invoicing.toolkit.rename.copies.statistics import StatisticsCopy

__all__ = [
    "Copy",
    "IndexCopy",
    "NotNullCopy",
    "StatisticsCopy",
    "find_copies",
    "findings",
    "taken_names",
]
