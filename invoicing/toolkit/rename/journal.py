"""What was done to a rename: a row for each run of a phase, for whoever has to account for it.

The row is there as soon as the phase begins, so that a run which was killed is seen as one that
never ended. It says who ran it, with which options, the statements and what came of it; it is kept
after the contract, and goes with everything else at a rollback.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg

from invoicing.toolkit.rename.names import STATE, literal, quote

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

_TABLE = f"{quote(STATE)}.run"
SETUP = (
    f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    old_name text NOT NULL,
    new_name text NOT NULL,
    phase text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    pid integer NOT NULL,
    role text NOT NULL,
    operator text NOT NULL,
    options jsonb NOT NULL,
    outcome text,
    said text,
    result jsonb NOT NULL DEFAULT '{{}}',
    statements jsonb NOT NULL DEFAULT '[]'
)""",
    f"GRANT SELECT ON {_TABLE} TO PUBLIC",
)
_BEGIN = f"""
INSERT INTO {_TABLE} (key, schema_name, table_name, old_name, new_name, phase, began_at, pid, role,
    operator, options)
VALUES ($1, $2, $3, $4, $5, $6, $7, pg_backend_pid(), session_user, $8, $9::text::jsonb)
RETURNING id
"""
_END = f"""
UPDATE {_TABLE} SET ended_at = clock_timestamp(), outcome = $2, said = $3,
    result = $4::text::jsonb, statements = $5::text::jsonb WHERE id = $1
"""
_NOTE = f"UPDATE {_TABLE} SET result = $2::text::jsonb WHERE id = $1"
_READ = f"""
SELECT r.phase, r.old_name AS old, r.new_name AS new, r.began_at, r.ended_at, r.role, r.operator,
    r.options::text, r.said, r.result::text, r.statements::text, coalesce(r.outcome,
        CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = r.pid
            AND a.datname = current_database() AND a.backend_start <= r.began_at)
        THEN 'running' ELSE 'killed' END) AS outcome
FROM {_TABLE} AS r
WHERE r.schema_name = $1 AND r.table_name = $2
    AND (r.old_name, r.new_name) IN (($3, $4), ($4, $3))
ORDER BY r.id
"""


# What of a phase's report is a figure to be read in one line.
FIGURES = ("completed", "rows_updated", "batches", "ok", "rows", "equal", "different", "missing")


@dataclass(frozen=True)
class Run:
    """One run of one phase.

    Attributes:
        phase: the verb: expand, backfill, verify, gate, contract.
        old, new: what was renamed to what; the other way round in a restore.
        ended_at: None while it runs, and for ever when it was killed.
        role: the database role.
        operator: who ran it, as `user@host`.
        options: those that differ from the usual ones.
        outcome: `done`, `stopped` (between two batches), `failed`, `running` or `killed`.
        said: the error's message, if it failed.
        result: the phase's report, as far as it has one.
        statements: what was run: `sql`, `seconds` (None for the one that stands for every batch)
            and `tries` (for its lock) of each.
    """

    phase: str
    old: str
    new: str
    began_at: datetime
    ended_at: datetime | None
    role: str
    operator: str
    options: dict[str, Any]
    outcome: str
    said: str | None
    result: dict[str, Any]
    statements: list[dict[str, Any]]

    @property
    def accepted(self) -> list[str]:
        """What was accepted at the gate, and by whom."""
        who = f"by {self.operator} as {self.role}, {self.began_at:%Y-%m-%d %H:%M:%S} UTC"
        return [f"{finding}, {who}" for finding in self.result.get("accepted", [])]

    @property
    def seconds(self) -> float | None:
        """How long it took; None where its end is not known."""
        return None if self.ended_at is None else (self.ended_at - self.began_at).total_seconds()

    @property
    def summary(self) -> str:
        """What came of it, in one line."""
        if self.said:
            return self.said
        figures = {name: self.result[name] for name in FIGURES if name in self.result}
        return ", ".join(
            f"{name.replace('_', ' ')} {figure(value)}" for name, value in figures.items()
        )


def figure(value: object) -> str:
    """Return a value of a report as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass
class Entry:
    """The row of a run while it is at work.

    Attributes:
        result: what is to be said of it at its end.
    """

    connection: Connection
    names: Names
    phase: str
    options: Options
    result: dict[str, Any] = field(default_factory=dict)
    _statements: list[dict[str, Any]] = field(default_factory=list)
    _began: datetime | None = None
    _row: int | None = None

    def ran(self, sql: str, seconds: float | None, tries: int = 1) -> None:
        """Note a statement; one that stands for many has no time of its own."""
        took = None if seconds is None else round(seconds, 6)
        self._statements.append({"sql": sql, "seconds": took, "tries": tries})

    async def begin(self) -> None:
        """Write the row, as soon as there is a place for it."""
        if not self.phase or self._row is not None:
            return
        self._began = self._began or await self.connection.fetchval("SELECT clock_timestamp()")
        if not await _has_place(self.connection):
            return
        names = self.names
        usual = type(self.options)()
        options = {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in asdict(self.options).items()
            if value != getattr(usual, name)
        }
        values = (names.key, names.schema, names.table, names.old, names.new, self.phase)
        self._row = await self.connection.fetchval(
            _BEGIN, *values, self._began, operator_name(), json.dumps(options)
        )

    async def note(self, connection: Connection, **result: Any) -> None:
        """Write something of the result while it runs, on a connection that is free for it."""
        self.result |= result
        if self._row is not None:
            await connection.execute(_NOTE, self._row, json.dumps(self.result, default=str))

    async def end(self, outcome: str, said: str | None = None) -> None:
        """Write what came of it; where nothing was begun, or all was undone, there is no row."""
        await self.begin()
        if self._row is not None and await _has_place(self.connection):
            result, statements = json.dumps(self.result, default=str), json.dumps(self._statements)
            await self.connection.execute(_END, self._row, outcome, said, result, statements)


@asynccontextmanager
async def kept(entry: Entry) -> AsyncIterator[None]:
    """Keep the entry from the beginning of a run to whatever end it has."""
    await entry.begin()
    try:
        yield
    except BaseException as error:
        stopped = isinstance(error, (asyncio.CancelledError, KeyboardInterrupt))
        said = None if stopped else str(error)
        if not entry.connection.is_closed():
            # Whoever reads the journal without this end sees a run that was killed.
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await entry.end("stopped" if stopped else "failed", said)
        raise
    await entry.end("done" if entry.result.get("completed", True) else "stopped")


async def read_runs(connection: Connection, names: Names) -> list[Run]:
    """Return every run for these two names of the table, in either direction, oldest first."""
    if not await _has_table(connection):
        return []
    rows = await connection.fetch(_READ, names.schema, names.table, names.old, names.new)
    json_of = ("options", "result", "statements")
    return [Run(**dict(row) | {name: json.loads(row[name]) for name in json_of}) for row in rows]


def forget_statement(names: Names) -> str:
    """Return what deletes the runs of a rename that was taken back, within a block."""
    delete = f"DELETE FROM {_TABLE} WHERE key = {literal(names.key)}"
    # A schema that an older version made may lack the table.
    return f"IF to_regclass({literal(_TABLE)}) IS NOT NULL THEN {delete}; END IF"


def operator_name() -> str:
    """Return who runs this, as `user@host`."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}"


async def _has_place(connection: Connection) -> bool:
    """Tell whether there is a table, and make it in a schema that an older version made."""
    if await _has_table(connection):
        return True
    if await connection.fetchval("SELECT to_regclass($1)", f"{quote(STATE)}.range") is None:
        return False
    for statement in SETUP:
        await connection.execute(statement)
    return True


async def _has_table(connection: Connection) -> bool:
    return await connection.fetchval("SELECT to_regclass($1)", _TABLE) is not None
