"""What a client of live traffic asks for: which operation, on which row, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from invoicing.practice.ledger import NO_ROW, show_amount

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from random import Random

    from sqlalchemy import CursorResult
    from sqlalchemy.sql.dml import UpdateBase

    from invoicing.db import AsyncSession
    from invoicing.practice.code import CodeVersion
    from invoicing.practice.ledger import Amount, Effect, Ledger

# How often each operation comes, of a hundred.
EVERYTHING: Mapping[str, int] = {
    "insert": 15,
    "upsert": 10,
    "set": 15,
    "add": 10,
    "add to shared": 10,
    "read and set": 10,
    "read": 15,
    "list": 10,
    "delete": 5,
}
# What never reads the amount: all that new code may do before the backfill is complete.
BLIND: Mapping[str, int] = {"insert": 35, "upsert": 25, "set": 30, "delete": 10}


class WrongAnswerError(Exception):
    """The server answered, and what it said cannot be true."""


class Request(NamedTuple):
    """What a client is about to do.

    Attributes:
        operation: its name.
        work: sends it; raises `WrongAnswerError` for an answer that cannot be true.
        row: the row it writes; None when it only reads.
        effect: what it makes of the row's amount.
        held: a row to give back to the ledger afterwards.
    """

    operation: str
    work: Callable[[AsyncSession], Awaitable[None]]
    row: UUID | None = None
    effect: Effect | None = None
    held: UUID | None = None


@dataclass
class Requests:
    """Makes requests for one client.

    Attributes:
        ledger: says which rows there are and what they hold.
        accounts: to whom invoices are written.
        random: decides everything.
    """

    ledger: Ledger
    accounts: Sequence[UUID]
    random: Random

    def next(self, code: CodeVersion, mix: Mapping[str, int]) -> Request:
        """Choose an operation of `mix`, and a row that no other client is at work on."""
        (operation,) = self.random.choices([*mix], [*mix.values()])
        if operation == "list":
            return self._list(code)
        if operation == "add to shared":
            shared = self.ledger.pick_shared(self.random)
            return self._insert(code) if shared is None else self._add(code, shared, held=None)
        row = None if operation == "insert" else self.ledger.take(self.random)
        if row is None:
            return self._insert(code)
        return self._on_row(operation, code, row)

    def _on_row(self, operation: str, code: CodeVersion, row: UUID) -> Request:
        if operation == "add":
            return self._add(code, row, held=row)
        make = {
            "upsert": self._upsert,
            "set": self._set,
            "read and set": self._read_and_set,
            "read": self._read,
            "delete": self._delete,
        }[operation]
        return make(code, row)

    def _insert(self, code: CodeVersion) -> Request:
        row = UUID(int=self.random.getrandbits(128), version=4)
        self.ledger.open(row)
        return self._write_whole("insert", code.insert, row)

    def _upsert(self, code: CodeVersion, row: UUID) -> Request:
        return self._write_whole("upsert", code.upsert, row)

    def _write_whole(self, operation: str, statement: UpdateBase, row: UUID) -> Request:
        amount = self._amount()
        values = {"id": row, "account_id": self.random.choice(self.accounts), "amount": amount}
        return _write(operation, row, statement, values, _setting(amount))

    def _amount(self) -> int:
        return self.random.randrange(1, 10**9)

    def _set(self, code: CodeVersion, row: UUID) -> Request:
        amount = self._amount()
        values = {"row_id": row, "amount": amount}
        return _write("set", row, code.set_amount, values, _setting(amount))

    def _add(self, code: CodeVersion, row: UUID, *, held: UUID | None) -> Request:
        more = self.random.randrange(1, 1000)
        values = {"row_id": row, "amount": more}
        operation = "add" if held else "add to shared"
        return _write(operation, row, code.add_amount, values, _adding(more))._replace(held=held)

    def _delete(self, code: CodeVersion, row: UUID) -> Request:
        return _write("delete", row, code.delete, {"id": row}, lambda _: NO_ROW)

    def _read_and_set(self, code: CodeVersion, row: UUID) -> Request:
        more = self.random.randrange(1, 1000)

        async def work(session: AsyncSession) -> None:
            found = (await session.execute(code.read_for_update, {"id": row})).scalar_one_or_none()
            _check(found, self.ledger.amounts(row))
            values = {"row_id": row, "amount": _adding(more)(found)}
            await _execute(session, code.set_amount, values)

        return Request("read and set", work, row, _adding(more), held=row)

    def _read(self, code: CodeVersion, row: UUID) -> Request:
        async def work(session: AsyncSession) -> None:
            found = (await session.execute(code.read, {"id": row})).scalar_one_or_none()
            _check(found, self.ledger.amounts(row))

        return Request("read", work, held=row)

    def _list(self, code: CodeVersion) -> Request:
        account = self.random.choice(self.accounts)

        async def work(session: AsyncSession) -> None:
            found = await session.execute(code.list_newest, {"account_id": account})
            if any(row.amount is None for row in found):
                message = f"an invoice of account {account} has no {code.column}"
                raise WrongAnswerError(message)

        return Request("list", work)


def _write(
    operation: str, row: UUID, statement: UpdateBase, values: dict[str, Any], effect: Effect
) -> Request:
    async def work(session: AsyncSession) -> None:
        await _execute(session, statement, values)

    return Request(operation, work, row, effect, held=row)


def _setting(amount: Amount) -> Effect:
    return lambda _: amount


def _adding(more: int) -> Effect:
    # As in SQL: NULL and more is NULL, and where no row is none is changed.
    return lambda amount: amount + more if isinstance(amount, int) else amount


def _check(found: Amount, expected: frozenset[Amount]) -> None:
    if found not in expected:
        possible = " or ".join(sorted(map(show_amount, expected)))
        message = f"read {show_amount(found)} where {possible} was written"
        raise WrongAnswerError(message)


async def _execute(session: AsyncSession, statement: UpdateBase, values: dict[str, Any]) -> None:
    changed = cast("CursorResult[Any]", await session.execute(statement, values)).rowcount
    if changed != 1:
        message = f"changed {changed} rows instead of 1"
        raise WrongAnswerError(message)
