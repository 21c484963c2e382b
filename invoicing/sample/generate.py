"""Make a sample in chunks, without a database.

The same seed and number of accounts give the same bytes on any machine, at any time, with any
chunk size and any version of numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from invoicing.sample import catalogue
from invoicing.sample.accounts import account_names
from invoicing.sample.copy_format import (
    Field,
    Texts,
    bigint_field,
    timestamp_field,
    uuid_field,
)
from invoicing.sample.hashing import Stream, uuid_words
from invoicing.sample.invoices import DRAFT, STATUSES, Book, Invoices
from invoicing.sample.lines import DESCRIPTIONS, Lines, amounts, make_lines, make_shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from invoicing.sample.hashing import Integers

DEFAULT_SEED = 41
# Small enough for a processor's cache, large enough that numpy's cost a call does not count.
CHUNK_INVOICES = 16_384
CHUNK_ACCOUNTS = 65_536
_COUNTED = 1 << 20

_PLANS = Texts([plan.encode() for plan in catalogue.PLANS])
_CURRENCIES = Texts([currency.encode() for currency in catalogue.CURRENCIES])
_STATUSES = Texts([status.encode() for status in STATUSES])
_DESCRIPTIONS = Texts(DESCRIPTIONS)


@dataclass(frozen=True)
class Chunk:
    """Some rows of one table.

    Attributes:
        table: name of the table.
        rows: how many rows there are.
        fields: the columns by name.
        mismatches: of invoices, how many do not amount to what their lines add up to.
    """

    table: str
    rows: int
    fields: Mapping[str, Field]
    mismatches: int = 0


def generate(
    *,
    accounts: int,
    invoices: int,
    seed: int = DEFAULT_SEED,
    chunk_invoices: int = CHUNK_INVOICES,
) -> Iterator[Chunk]:
    """Yield all accounts, then all invoices, then all lines.

    An account depends on the seed and its own number. An invoice and its lines depend on how many
    accounts there are besides, for they share the invoices; never on how many invoices there are.
    """
    book = Book(seed, accounts)
    yield from _account_chunks(book)
    for make in (_invoice_chunk, _line_chunk):
        for first in range(0, invoices, chunk_invoices):
            yield make(book, first, min(first + chunk_invoices, invoices))


def count_lines(seed: int, invoices: int) -> int:
    """Return how many lines so many invoices have."""
    return sum(
        int(make_shape(seed, first, min(first + _COUNTED, invoices)).lines.sum())
        for first in range(0, invoices, _COUNTED)
    )


def _account_chunks(book: Book) -> Iterator[Chunk]:
    for first in range(0, len(book.accounts), CHUNK_ACCOUNTS):
        accounts = book.accounts.part(first, first + CHUNK_ACCOUNTS)
        names = Texts([name.encode() for name in account_names(book.seed, accounts)])
        fields = {
            "id": uuid_field(accounts.id_high, accounts.id_low),
            "name": names.field(np.arange(len(accounts), dtype=np.int64)),
            "plan": _PLANS.field(accounts.plan),
            "created_at": timestamp_field(accounts.created_at),
            "updated_at": timestamp_field(accounts.created_at),
        }
        yield Chunk("account", len(accounts), fields)


def _invoice_chunk(book: Book, first: int, last: int) -> Chunk:
    shape = make_shape(book.seed, first, last)
    invoices = book.make_invoices(first, last, empty=shape.lines == 0)
    # Made here for their sum, and once more for their own table: that costs little, and keeping
    # them, or sending the tables by turns, costs memory or leaves half-filled pages.
    amount_cents = amounts(shape, make_lines(book, invoices, shape))
    return Chunk(
        "invoice",
        len(invoices),
        _invoice_fields(book, invoices, amount_cents),
        mismatches=int(np.count_nonzero(shape.wrong_by)),
    )


def _line_chunk(book: Book, first: int, last: int) -> Chunk:
    shape = make_shape(book.seed, first, last)
    invoices = book.make_invoices(first, last, empty=shape.lines == 0)
    lines = make_lines(book, invoices, shape)
    return Chunk("invoice_line", len(lines), _line_fields(book, invoices, lines))


def _invoice_fields(book: Book, invoices: Invoices, amount_cents: Integers) -> dict[str, Field]:
    owner = invoices.account
    return {
        "id": uuid_field(invoices.id_high, invoices.id_low),
        "account_id": uuid_field(book.accounts.id_high[owner], book.accounts.id_low[owner]),
        "amount_cents": bigint_field(amount_cents),
        "currency": _CURRENCIES.field(invoices.currency),
        "status": _STATUSES.field(invoices.status),
        "issued_at": timestamp_field(invoices.issued_at, invoices.status == DRAFT),
        "created_at": timestamp_field(invoices.created_at),
        "updated_at": timestamp_field(invoices.updated_at),
    }


def _line_fields(book: Book, invoices: Invoices, lines: Lines) -> dict[str, Field]:
    ids = uuid_words(book.seed, Stream.LINE_ID_HIGH, Stream.LINE_ID_LOW, lines.numbers)
    created_at = invoices.created_at[lines.invoice]
    return {
        "id": uuid_field(*ids),
        "invoice_id": uuid_field(invoices.id_high[lines.invoice], invoices.id_low[lines.invoice]),
        "description": _DESCRIPTIONS.field(lines.description),
        "total_cents": bigint_field(lines.total_cents),
        "created_at": timestamp_field(created_at),
        "updated_at": timestamp_field(created_at),
    }
