"""The tables of the portfolio's roll-up: totals of what is folded, and the changes since.

They are filled by triggers and by statements over whole sets (`invoicing.rollup`), never row by
row, so they are tables and no classes. Sums are NUMERIC: a trigger must not fail because a total
has outgrown a BIGINT.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Numeric,
    SmallInteger,
    String,
    Table,
    Uuid,
    text,
    true,
)

from invoicing.db.base import Base
from invoicing.models.invoice import Invoice


def _day_key(*, primary_key: bool) -> list[Column[Any]]:
    return [
        Column("currency", String(3), primary_key=primary_key, nullable=False),
        Column("status", Invoice.__table__.c.status.type, primary_key=primary_key, nullable=False),
        Column("day", Date, primary_key=primary_key, nullable=False),
        Column("is_issued", Boolean, primary_key=primary_key, nullable=False),
    ]


# One row while the roll-up may be used; none before it is built, and after what it cannot follow.
INVOICE_ROLLUP = Table(
    "invoice_rollup",
    Base.metadata,
    Column("is_only", Boolean, primary_key=True, server_default=true()),
    Column("built_at", DateTime(timezone=True), nullable=False),
    Column("folded_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("is_only", name="one_row"),
)

# What an invoice was (sign -1) and is (sign 1). Nothing is looked up in it: it has no index.
INVOICE_DELTA = Table(
    "invoice_delta",
    Base.metadata,
    Column("invoice_id", Uuid, nullable=False),
    Column("account_id", Uuid, nullable=False),
    *_day_key(primary_key=False),
    Column("cents", BigInteger, nullable=False),
    Column("sign", SmallInteger, nullable=False),
)

# By how much the lines of an invoice came to more, or to less.
INVOICE_LINE_DELTA = Table(
    "invoice_line_delta",
    Base.metadata,
    Column("invoice_id", Uuid, nullable=False),
    Column("cents", Numeric, nullable=False),
)

# By day (UTC) of issue; of creation for an invoice that has no date of issue.
INVOICE_DAY_TOTAL = Table(
    "invoice_day_total",
    Base.metadata,
    *_day_key(primary_key=True),
    Column("invoices", BigInteger, nullable=False),
    Column("cents", Numeric, nullable=False),
)

# What an account was billed in a currency: open and paid invoices only.
INVOICE_ACCOUNT_TOTAL = Table(
    "invoice_account_total",
    Base.metadata,
    Column("account_id", Uuid, primary_key=True),
    Column("currency", String(3), primary_key=True),
    Column("invoices", BigInteger, nullable=False),
    Column("billed_cents", Numeric, nullable=False),
    Column("open_cents", Numeric, nullable=False),
    Index(
        "ix_invoice_account_total_largest",
        "currency",
        text("billed_cents DESC"),
        "account_id",
        postgresql_where=text("invoices > 0"),
    ),
)

# The sum of the lines less the amount, of invoices only of which it is not 0.
INVOICE_DIFFERENCE = Table(
    "invoice_difference",
    Base.metadata,
    Column("invoice_id", Uuid, primary_key=True),
    Column("cents", Numeric, nullable=False),
    Index("ix_invoice_difference_largest", text("abs(cents) DESC"), "invoice_id"),
)
