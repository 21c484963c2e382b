"""What is copied to the new column: NOT NULL, constraints, indexes, extended statistics."""

from invoicing.rename.copies.find import find_copies, findings, taken_names
from invoicing.rename.copies.index import IndexCopy
from invoicing.rename.copies.model import Copy
from invoicing.rename.copies.not_null import NotNullCopy
from invoicing.rename.copies.statistics import StatisticsCopy

__all__ = [
    "Copy",
    "IndexCopy",
    "NotNullCopy",
    "StatisticsCopy",
    "find_copies",
    "findings",
    "taken_names",
]
