"""`exact-money`: amounts of money are exact numbers.

A column is one of money by its name; `tax_rate` and `total_seconds` are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.columns import ColumnAttribute, columns
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax

SLUG = "exact-money"
FLOATS = {"Float", "FLOAT", "REAL", "Double", "DOUBLE", "DOUBLE_PRECISION"}
# Pydantic's floats, which SQLModel maps to Float.
CONSTRAINED = {
    f"pydantic.{kind}Float"
    for kind in ("Positive", "Negative", "NonNegative", "NonPositive", "Finite", "Strict")
}
MONEY = {
    "amount", "amt", "price", "cost", "total", "subtotal", "balance", "fee", "fees", "tax",
    "salary", "wage", "revenue", "payment", "paid", "money", "discount", "charge", "budget",
    "credit", "debit", "vat", "deposit", "refund", "tip",
}  # fmt: skip
MEASURES = {"amount", "total"}
NO_MONEY = {
    "ratio", "rate", "percent", "percentage", "pct", "factor", "count", "share", "weight", "score",
    "seconds", "minutes", "hours", "days", "ms", "time", "duration", "bytes", "kg", "distance",
    "size", "quantity", "points",
}  # fmt: skip


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find columns of money that hold binary fractions."""
    for column in columns(project):
        if any(map(is_money, column.names)) and _is_float(column):
            yield column.finding(
                SLUG,
                f"{column.name} is an amount of money as a float",
                "annotate it as Decimal, or as whole cents in an integer"
                if column.is_field
                else "use Numeric(12, 2), or whole cents as an integer",
            )


def is_money(name: str) -> bool:
    """Return whether a column's name says that it holds money."""
    words = set(name.lower().split("_"))
    # An amount of rain.
    of_else = "of" in words and words & MONEY <= MEASURES
    return bool(words & MONEY) and not words & NO_MONEY and not of_else


def _is_float(column: ColumnAttribute) -> bool:
    if column.types:
        return any(kind in FLOATS or _gives_floats(made) for kind, made in column.types)
    return column.python == "float" or (column.is_field and column.python in CONSTRAINED)


def _gives_floats(made: CallSyntax | None) -> bool:
    """Return whether a type is exact in the database alone: `Numeric(asdecimal=False)`."""
    given = made.keywords.get("asdecimal") if made is not None else None
    return given is not None and given.text == "False"


RULE = Rule(
    SLUG,
    "amounts of money are Numeric or whole cents, never floats",
    "A float has no 0.10: sums of cents drift, and two totals that are equal on paper differ in "
    "the database. What has been rounded once cannot be found again.\n\n"
    "Money is known by the column's name (amount, price, total_cost). Seen are Mapped[...] and its "
    "aliases, mapped_column and Column, the type_annotation_map of a base, and the fields of "
    "SQLModel's tables with those they inherit, by annotation, sa_type or sa_column. Fields of "
    "schemas are no columns.",
    {"a float": 'class Invoice(Base):\n    __tablename__ = "invoice"\n    amount: Mapped[float]'},
    {"cents": 'class Invoice(Base):\n    __tablename__ = "invoice"\n    amount_cents: Mapped[int]'},
    check,
)
