"""Whether the roll-up may be used, and how much is not folded yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Boolean, literal_column, select, text

from invoicing.rollup.definition import TABLES, TRIGGERS

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement
    from sqlalchemy.ext.asyncio import AsyncConnection

    from invoicing.db import AsyncSession

_NAMES = ", ".join(f"'{name}'" for _, name in TRIGGERS)
_RELATIONS = ", ".join(f"CAST('{table}' AS regclass)" for table in TABLES)
_TRIGGERS = (
    "(SELECT count(*) FROM pg_catalog.pg_trigger"
    f" WHERE tgrelid IN ({_RELATIONS}) AND tgname IN ({_NAMES}) AND tgenabled = 'A')"
)
_SUBSCRIBED = f"EXISTS (SELECT FROM pg_catalog.pg_subscription_rel WHERE srrelid IN ({_RELATIONS}))"


def is_usable() -> ColumnElement[bool]:
    """Return the condition under which totals and changes together are exact.

    A roll-up is built, and nothing has written past its triggers since: they fire always, in a
    restore with session_replication_role = replica too; whoever switches them off and on again
    (pg_restore --disable-triggers) leaves them another way on. What a subscription writes fires no
    trigger of a statement. A part of the reading statement, so that it is of the same snapshot.
    """
    condition = (
        f"EXISTS (SELECT FROM invoice_rollup) AND {_TRIGGERS} = {len(TRIGGERS)}"
        f" AND NOT {_SUBSCRIBED}"
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
            "its triggers are there, and its totals are not: the build was interrupted, or a table "
            "was truncated in a transaction of REPEATABLE READ"
            if row.triggers
            else "it has not been built"
        )
    elif row.triggers != len(TRIGGERS):
        reason = (
            f"{len(TRIGGERS) - row.triggers} of its {len(TRIGGERS)} triggers are not as they were "
            "built, so that changes may be missing, as after pg_restore --disable-triggers"
        )
    elif row.subscribed:
        reason = "a subscription writes to its tables, which fires no trigger of a statement"
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
    text(f"{_SUBSCRIBED} AS subscribed"),
)
