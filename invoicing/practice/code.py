"""What one version of an application sends: every statement it has, with the one name it knows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    MetaData,
    String,
    Table,
    Uuid,
    any_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tablesample,
    update,
)
from sqlalchemy.dialects.postgresql import insert

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Delete, Select, Update
    from sqlalchemy.dialects.postgresql import Insert

LISTED = 10


@dataclass(frozen=True)
class CodeVersion:
    """One deployed version of the code.

    It names each column it uses, as an ORM does and as every service should: whoever writes
    `SELECT *` gets a column it does not know on the day of the expand.

    Attributes:
        name: `old` or `new`; also in its connections' application_name.
        column: what it calls the amount.
        table: the table it uses.
    """

    name: str
    column: str
    table: str = "invoice"

    @cached_property
    def _table(self) -> Table:
        return Table(
            self.table,
            MetaData(),
            Column("id", Uuid, primary_key=True),
            Column("account_id", Uuid),
            Column(self.column, BigInteger, key="amount"),
            Column("currency", String),
            Column("created_at", DateTime(timezone=True)),
        )

    @cached_property
    def insert(self) -> Insert:
        """Insert one invoice (`id`, `account_id`, `amount`)."""
        return insert(self._table).values(
            id=bindparam("id"),
            account_id=bindparam("account_id"),
            amount=bindparam("amount"),
            currency="EUR",
        )

    @cached_property
    def upsert(self) -> Insert:
        """Insert one invoice, or set the amount of the one that is there."""
        return self.insert.on_conflict_do_update(
            index_elements=["id"], set_={"amount": self.insert.excluded.amount}
        )

    @cached_property
    def set_amount(self) -> Update:
        """Give one invoice another amount."""
        return self._update(bindparam("amount"))

    @cached_property
    def add_amount(self) -> Update:
        """Add to the amount of one invoice, in the database: concurrent additions all count."""
        return self._update(self._table.c.amount + bindparam("amount", type_=BigInteger))

    @cached_property
    def read(self) -> Select[int]:
        """Read the amount of one invoice."""
        return select(self._table.c.amount).where(self._table.c.id == bindparam("id"))

    @cached_property
    def read_for_update(self) -> Select[int]:
        """Read the amount of one invoice, and keep others from changing it."""
        return self.read.with_for_update()

    @cached_property
    def list_newest(self) -> Select[UUID, int | None, datetime]:
        """List the newest invoices of one account."""
        return (
            select(self._table.c.id, self._table.c.amount, self._table.c.created_at)
            .where(self._table.c.account_id == bindparam("account_id"))
            .order_by(self._table.c.created_at.desc(), self._table.c.id.desc())
            .limit(LISTED)
        )

    @cached_property
    def delete(self) -> Delete:
        """Delete one invoice."""
        return delete(self._table).where(self._table.c.id == bindparam("id"))

    def sample(self, rows: int, pages: int) -> Select[UUID, int | None]:
        """Read `rows` rows from all over the table, which has so many `pages`."""
        percent = min(100.0, 100.0 * rows / max(pages, 1))
        # Written out: sent to a node by Citus, a parameter would have no type there.
        sampled = tablesample(self._table, func.system(literal_column(f"{percent:f}")))
        return select(sampled.c.id, sampled.c.amount).order_by(func.random()).limit(rows)

    def amounts_of(self) -> Select[UUID, int | None]:
        """Read the amounts of the invoices `ids`."""
        ids = any_(bindparam("ids", type_=ARRAY(Uuid)))
        return select(self._table.c.id, self._table.c.amount).where(self._table.c.id == ids)

    def _update(self, amount: ColumnElement[int | None]) -> Update:
        row = self._table.c.id == bindparam("row_id")
        return update(self._table).where(row).values(amount=amount)
