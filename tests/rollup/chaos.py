"""Writers that do everything a table can take, at random, each transaction its own way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

if TYPE_CHECKING:
    from random import Random

    from sqlalchemy.engine import URL

CURRENCIES, STATUSES = ("EUR", "USD", "JPY"), ("draft", "open", "paid", "void")
ISOLATION = ("read_committed", "read_committed", "repeatable_read", "serializable")
SOME = "SELECT id FROM {} ORDER BY md5(id::text || $1) LIMIT 3"
ROW = "id, account_id, amount_cents, currency, status, issued_at"
# What a random transaction may run into, and then is rolled back whole.
REFUSED = (
    asyncpg.ForeignKeyViolationError,
    asyncpg.UniqueViolationError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.CardinalityViolationError,
    asyncpg.NotNullViolationError,  # an account is wanted where there is none
)


class UndoneError(Exception):
    """A transaction, or a savepoint, is rolled back because chance will have it."""


class Writer:
    """One client with its own random numbers; `done` counts its committed transactions."""

    def __init__(self, connection: asyncpg.Connection, random: Random) -> None:
        self.connection, self.random, self.done = connection, random, 0
        self.actions = [getattr(self, name) for name in dir(type(self)) if name.startswith("do_")]

    async def work(self, transactions: int) -> None:
        for _ in range(transactions):
            isolation = self.random.choice(ISOLATION)
            with suppress(*REFUSED, UndoneError):
                async with self.connection.transaction(isolation=isolation):
                    for _ in range(self.random.randint(1, 4)):
                        await self.perhaps_in_a_savepoint(self.random.choice(self.actions))
                    if self.random.random() < 0.1:
                        raise UndoneError
                self.done += 1

    async def perhaps_in_a_savepoint(self, action: Any) -> None:
        if self.random.random() < 0.7:
            await action()
            return
        with suppress(UndoneError):
            async with self.connection.transaction():
                await action()
                if self.random.random() < 0.5:
                    raise UndoneError

    def id(self) -> UUID:
        return UUID(int=self.random.getrandbits(128))

    def cents(self) -> int:
        return self.random.choice(
            [0, 1, 1, -5, 12_00, self.random.randint(0, 10**6), 2**63 - 1, -(2**63)]
        )

    def moment(self) -> datetime | None:
        issued = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self.random.randint(0, 2000))
        return self.random.choice([issued, issued, None])

    def row(self, account_id: UUID) -> tuple[Any, ...]:
        random = self.random
        kept = random.choice(CURRENCIES), random.choice(STATUSES), self.moment()
        return self.id(), account_id, self.cents(), *kept

    async def some(self, table: str) -> list[UUID]:
        rows = await self.connection.fetch(SOME.format(table), str(self.random.random()))
        return [row["id"] for row in rows]

    async def run(self, table: str, statement: str, *values: Any) -> None:
        await self.connection.execute(statement, await self.some(table), *values)

    async def do_insert(self) -> None:
        account_id = self.id()
        await self.connection.execute(
            "INSERT INTO account (id, name, plan) VALUES ($1, 'A', 'team')", account_id
        )
        rows = [self.row(account_id) for _ in range(self.random.randint(1, 5))]
        await self.connection.copy_records_to_table(
            "invoice", records=rows, columns=ROW.split(", ")
        )
        lines = [
            (self.id(), self.random.choice(rows)[0], self.cents())
            for _ in range(self.random.randint(0, 9))
        ]
        names = ["id", "invoice_id", "total_cents"]
        await self.connection.copy_records_to_table("invoice_line", records=lines, columns=names)

    async def do_insert_lines(self) -> None:
        await self.run(
            "invoice",
            "INSERT INTO invoice_line (id, invoice_id, total_cents)"
            " SELECT gen_random_uuid(), id, $2 FROM unnest($1::uuid[]) id, generate_series(1, 2)",
            self.cents(),
        )

    async def do_upsert(self) -> None:
        for account_id in await self.some("account"):
            new, old = self.row(account_id), await self.some("invoice")
            values = (*old[:1], *new[1:]) if old and self.random.random() < 0.7 else new
            await self.connection.execute(
                f"INSERT INTO invoice ({ROW}) VALUES ($1, $2, $3, $4, $5, $6)"
                " ON CONFLICT (id) DO UPDATE SET amount_cents = excluded.amount_cents,"
                " currency = excluded.currency, status = excluded.status",
                *values,
            )

    async def do_merge(self) -> None:
        await self.run(
            "invoice",
            "MERGE INTO invoice USING (SELECT id, gen_random_uuid() AS other, row_number() OVER ()"
            " AS n FROM unnest($1::uuid[]) AS id) AS s"
            " ON invoice.id = CASE WHEN n = 3 THEN s.other ELSE s.id END"
            " WHEN MATCHED AND n = 1 THEN DELETE"
            " WHEN MATCHED THEN UPDATE SET amount_cents = $2"
            " WHEN NOT MATCHED THEN INSERT (id, account_id, amount_cents, currency, status)"
            " VALUES (s.other, (SELECT account_id FROM invoice LIMIT 1), $2, 'EUR', 'open')",
            self.cents(),
        )

    async def do_update_status(self) -> None:
        status = self.random.choice(STATUSES)
        where = "WHERE id = ANY ($1)"
        await self.run("invoice", f"UPDATE invoice SET status = $2 {where}", status)

    async def do_update_amount(self) -> None:
        statement = "UPDATE invoice SET amount_cents = $2 WHERE id = ANY ($1)"
        await self.run("invoice", statement, self.cents())

    async def do_update_moments(self) -> None:
        statement = "UPDATE invoice SET issued_at = $2, created_at = $3 WHERE id = ANY ($1)"
        created = datetime(2026, 1, self.random.randint(1, 28), 23, 59, tzinfo=UTC)
        await self.run("invoice", statement, self.moment(), created)

    async def do_update_nothing(self) -> None:
        await self.run("invoice", "UPDATE invoice SET updated_at = now() WHERE id = ANY ($1)")
        await self.run(
            "invoice_line", "UPDATE invoice_line SET description = 'x' WHERE id = ANY ($1)"
        )

    async def do_change_key(self) -> None:
        await self.run("invoice", "UPDATE invoice SET id = gen_random_uuid() WHERE id = ANY ($1)")

    async def do_change_account(self) -> None:
        for account_id in (await self.some("account"))[:1]:
            statement = "UPDATE invoice SET account_id = $2, currency = 'JPY' WHERE id = ANY ($1)"
            await self.run("invoice", statement, account_id)

    async def do_move_lines(self) -> None:
        for invoice_id in (await self.some("invoice"))[:1]:
            statement = "UPDATE invoice_line SET invoice_id = $2 WHERE id = ANY ($1)"
            await self.run("invoice_line", statement, invoice_id)

    async def do_update_lines(self) -> None:
        statement = "UPDATE invoice_line SET total_cents = $2 WHERE id = ANY ($1)"
        await self.run("invoice_line", statement, self.cents())

    async def do_add_up(self) -> None:
        await self.run(
            "invoice",
            "UPDATE invoice SET amount_cents = total FROM (SELECT invoice_id, sum(total_cents)"
            " AS total FROM invoice_line GROUP BY 1) AS l WHERE invoice_id = id AND id = ANY ($1)"
            " AND abs(total) < 10 ^ 18",
        )

    async def do_delete_lines(self) -> None:
        await self.run("invoice_line", "DELETE FROM invoice_line WHERE id = ANY ($1)")

    async def do_delete_invoices(self) -> None:
        await self.run("invoice", "DELETE FROM invoice WHERE id = ANY ($1)")

    async def do_delete_account(self) -> None:
        if self.random.random() < 0.3:
            await self.run("account", "DELETE FROM account WHERE id = ($1::uuid[])[1]")

    async def do_truncate(self) -> None:
        isolation = await self.connection.fetchval("SHOW transaction_isolation")
        if isolation == "read committed" and self.random.random() < 0.2:
            tables = self.random.choice(["invoice_line", "invoice_line", "account CASCADE"])
            await self.connection.execute(f"TRUNCATE {tables}")

    async def do_write_as_a_replica(self) -> None:
        await self.connection.execute("SET LOCAL session_replication_role = replica")
        await self.do_update_status()
        await self.do_delete_lines()
        await self.connection.execute("SET LOCAL session_replication_role = origin")


async def work_at_once(url: URL, randoms: list[Random], transactions: int) -> int:
    """Let one writer for each source of random numbers work; return how much was committed."""
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connections = [await asyncpg.connect(address) for _ in randoms]
    writers = [Writer(*pair) for pair in zip(connections, randoms, strict=True)]
    try:
        await asyncio.gather(*(writer.work(transactions) for writer in writers))
    finally:
        for connection in connections:
            await connection.close()
    return sum(writer.done for writer in writers)
