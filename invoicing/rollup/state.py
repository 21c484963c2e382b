"""Whether the roll-up may be used, and how much is not folded yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, literal_column, select, text

from invoicing.rollup.definition import GUARDS, TABLES, TRIGGERS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from invoicing.db import AsyncSession

_ALL = (*TRIGGERS, *GUARDS)
_NAMES = ", ".join(f"'{name}'" for _, name in _ALL)
_RELATIONS = ", ".join(f"CAST('{table}' AS regclass)" for table in dict(_ALL))
# Whatever changes a trigger or a function writes its row anew, whose xmin is then another one.
_TRIGGERS = (
    "(SELECT CASE WHEN count(DISTINCT CAST(t.xmin AS text)) = 1 THEN count(*) ELSE 0 END"
    " FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid"
    f" WHERE t.tgrelid IN ({_RELATIONS}) AND t.tgname IN ({_NAMES}) AND t.tgenabled = 'A'"
    " AND t.xmin = p.xmin)"
)
_ANY_TRIGGER = (
    "EXISTS (SELECT 1 FROM pg_catalog.pg_trigger"
    f" WHERE tgrelid IN ({_RELATIONS}) AND tgname IN ({_NAMES}))"
)
_SUBSCRIBED = (
    f"EXISTS (SELECT 1 FROM pg_catalog.pg_subscription_rel WHERE srrelid IN ({_RELATIONS}))"
)
# A child's rows are the parent's too, and fire the triggers of the child.
_FAMILY = (
    "EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS i"
    f" WHERE i.inhparent IN ({_RELATIONS}) OR i.inhrelid IN ({_RELATIONS}))"
)
# Totals are of all rows, whoever asks.
_READ_BY_ROW = " OR ".join(
    f"row_security_active(CAST('{table}' AS regclass))" for table in ("account", *TABLES)
)


def is_usable() -> ColumnElement[bool]:
    """Return the condition under which totals and changes together are exact.

    A roll-up is built, and nothing has written past its triggers since: they fire always, in a
    restore with session_replication_role = replica too; and they and their functions are still as
    one transaction made them: whoever switches one off and on again, or replaces it, writes its row
    of the catalog anew. Whoever else writes to the totals (a restore of data) deletes the row that
    says it is built. What a subscription writes fires no trigger of a statement, nor does what
    is written to a table that inherits. Whoever may see some rows only, by row-level security, has
    no use for totals of all. A part of the reading statement, so that it is of the same snapshot.
    """
    condition = (
        f"EXISTS (SELECT 1 FROM invoice_rollup) AND {_TRIGGERS} = {len(_ALL)}"
        f" AND NOT {_SUBSCRIBED} AND NOT {_FAMILY} AND NOT ({_READ_BY_ROW})"
    )
    return literal_column(f"({condition})", Boolean)


@dataclass(frozen=True)
class RollupState:
    """What is known of the roll-up.

    Attributes:
        usable: whether the services read it.
        reason: why they do not; empty if they do.
        built_at, folded_at: when; None if it is not built.
        unfolded: how many changes a reader has to add: of invoices, and of the lines of invoices.
    """

    usable: bool
    reason: str
    built_at: datetime | None
    folded_at: datetime | None
    unfolded: int


async def rollup_state(session: AsyncSession | AsyncConnection) -> RollupState:
    """Return whether the roll-up may be used, and how many changes are unfolded; one statement."""
    row = (await session.execute(_STATE)).one()
    reason = ""
    if row.built_at is None:
        reason = (
            "its triggers are there, and its totals are not to be relied on: the build was "
            "interrupted, something else wrote to them (as a restore of data does), or a table was "
            "truncated in a transaction of REPEATABLE READ"
            if row.any_trigger
            else "it has not been built"
        )
    elif row.triggers != len(_ALL):
        reason = (
            f"its {len(_ALL)} triggers are not as they were built: switched off and on, replaced "
            "or restored from a dump since, so that changes may be missing"
        )
    elif row.subscribed:
        reason = "a subscription writes to its tables, which fires no trigger of a statement"
    elif row.family:
        reason = (
            "a table inherits from its tables, or they from another, and the triggers see no "
            "change of a child"
        )
    elif row.read_by_row:
        reason = (
            "row-level security lets this account see some rows only, and the totals are of all. "
            "Its questions are answered from the invoices"
        )
    return RollupState(not reason, reason, row.built_at, row.folded_at, row.unfolded)


# Without FROM a row comes in any case.
_STATE = select(
    text("(SELECT built_at FROM invoice_rollup) AS built_at"),
    text("(SELECT folded_at FROM invoice_rollup) AS folded_at"),
    text(
        "(SELECT count(*) FROM invoice_delta) + (SELECT count(*) FROM invoice_line_delta)"
        " AS unfolded"
    ),
    text(f"{_TRIGGERS} AS triggers"),
    text(f"{_ANY_TRIGGER} AS any_trigger"),
    text(f"{_SUBSCRIBED} AS subscribed"),
    text(f"{_FAMILY} AS family"),
    text(f"({_READ_BY_ROW}) AS read_by_row"),
)
