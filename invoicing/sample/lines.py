"""The sample's lines: what was sold, how much of it, and what an invoice thus amounts to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from invoicing.sample import catalogue
from invoicing.sample.hashing import Rows, Stream, bits, draw, weighted_table

if TYPE_CHECKING:
    from invoicing.sample.hashing import Integers
    from invoicing.sample.invoices import Book, Invoices

# In 1,024 invoices, how many have no line, one, two and so on: three on average.
_COUNTS = weighted_table((2, 200, 272, 226, 142, 82, 50, 30, 20))
# Line numbers are an invoice's number times this, plus the place on the invoice.
_PLACES = 16
# In 1,024 invoices with lines, how many have an amount that their lines do not add up to.
_WRONG_SHARE = 1
_WRONG_BY = np.array([-9, -1, 1, 10, 100, 900, 1_000, 1_900], dtype=np.int64)

_PRODUCTS = weighted_table([share for _, _, share in catalogue.PRODUCTS])
_PRICES = np.array(
    [
        [max(price * rate // 100, 1) for _, price, _ in catalogue.PRODUCTS]
        for rate in catalogue.CENTS_PER_DOLLAR
    ],
    dtype=np.int64,
)
_QUANTITIES = np.array(catalogue.QUANTITIES, dtype=np.int64)
_NO_DESCRIPTION = -1


def _describe(product: str, quantity: int) -> bytes:
    return (product if quantity == 1 else f"{product} × {quantity}").encode()


# By plan, product and place among the plan's quantities, flattened.
DESCRIPTIONS = [
    _describe(name, quantity)
    for quantities in catalogue.QUANTITIES
    for name, _, _ in catalogue.PRODUCTS
    for quantity in quantities
]


@dataclass(frozen=True)
class Lines(Rows):
    """The lines of some invoices, in their order.

    Attributes:
        numbers: what the lines' ids are drawn from.
        invoice: place of the invoice among those the lines were made for.
        description: place in DESCRIPTIONS; negative where there is none.
        total_cents: unit price times quantity, in minor units of the invoice's currency.
    """

    invoice: Integers
    description: Integers
    total_cents: Integers


@dataclass(frozen=True)
class Shape:
    """How many lines each invoice has, and by how much its amount is wrong (mostly 0)."""

    lines: Integers
    wrong_by: Integers


def make_shape(seed: int, first: int, last: int) -> Shape:
    """Shape the invoices numbered `first` to `last` - 1."""
    shape = draw(seed, Stream.INVOICE_SHAPE, np.arange(first, last, dtype=np.uint64))
    lines = _COUNTS[bits(shape, 0, 10)]
    is_wrong = (bits(shape, 10, 10) < _WRONG_SHARE) & (lines > 0)
    return Shape(lines, np.where(is_wrong, _WRONG_BY[bits(shape, 20, 3)], 0))


def make_lines(book: Book, invoices: Invoices, shape: Shape) -> Lines:
    """Make the lines of `invoices`."""
    invoice = np.repeat(np.arange(len(invoices), dtype=np.int64), shape.lines)
    ends = np.cumsum(shape.lines)
    place = np.arange(len(invoice), dtype=np.int64) - (ends - shape.lines)[invoice]
    numbers = invoices.numbers[invoice] * np.uint64(_PLACES) + place.astype(np.uint64)
    choice = draw(book.seed, Stream.LINE_PRODUCT, numbers)
    plan = book.accounts.plan[invoices.account][invoice]
    # Three in four invoices begin with the account's own plan.
    begins_with_plan = (place == 0) & (bits(choice, 10, 2) != 0)
    product = np.where(begins_with_plan, plan, _PRODUCTS[bits(choice, 0, 10)])
    amount = bits(choice, 12, 4)
    description = (plan * len(catalogue.PRODUCTS) + product) * _QUANTITIES.shape[1] + amount
    is_bare = bits(choice, 20, 7) == 0
    return Lines(
        numbers=numbers,
        invoice=invoice,
        description=np.where(is_bare, _NO_DESCRIPTION, description),
        total_cents=_PRICES[invoices.currency[invoice], product] * _QUANTITIES[plan, amount],
    )


def amounts(shape: Shape, lines: Lines) -> Integers:
    """Return what each invoice says it amounts to: its lines' sum, but for the wrong ones."""
    running = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lines.total_cents)])
    ends = np.cumsum(shape.lines)
    sums: Integers = running[ends] - running[ends - shape.lines]
    return sums + shape.wrong_by
