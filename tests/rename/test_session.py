"""A connection that dies is called lost, and a session that only reads changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Phase, Rename, Target
from invoicing.toolkit.rename.connection.pool import explained
from invoicing.toolkit.rename.errors import RenameFailedError, RenameInterruptedError
from tests.conftest import newest_server_url
from tests.rename.bills import CONFIRM, TARGET, renaming, verified

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.engine import URL

server_url = newest_server_url

CONFUSED = asyncpg.InternalClientError(
    "cannot switch to state 12; another operation is in progress"
)


def while_the_engine_looked_around(error: Exception) -> DBAPIError:
    """Return what SQLAlchemy makes of it: its own error, of its own driver's, of the driver's."""
    adapted = RuntimeError(str(error))
    adapted.__cause__ = error
    return DBAPIError("show standard_conforming_strings", {}, adapted)


@pytest.mark.parametrize(
    "error",
    [
        CONFUSED,
        while_the_engine_looked_around(CONFUSED),
        while_the_engine_looked_around(asyncpg.ConnectionDoesNotExistError("the connection was")),
        BrokenPipeError(32, "the connection was closed"),
    ],
)
def test_a_lost_connection_is_called_that(error: Exception) -> None:
    with (
        pytest.raises(RenameInterruptedError, match="the connection was") as raised,
        explained(Target("t", "a", "b")),
    ):
        raise error
    assert "Run the same command again" in str(raised.value)
    assert "switch to state" not in str(raised.value)


async def test_a_read_only_setting_is_refused_every_phase_by_the_server(url: URL) -> None:
    async with Database(url, Settings(read_only=True)) as database, renaming(url) as writing:
        watched = Rename(database, TARGET)
        await refused(watched.expand())
        assert (await watched.snapshot()).status.phase is Phase.NONE
        await writing.expand()
        await refused(watched.backfill())
        await refused(watched.rollback())
        await verified(writing)
        await refused(watched.verify())
        await refused(watched.contract(confirm=CONFIRM))
        assert (await watched.snapshot()).status.phase is Phase.VERIFIED


async def refused(phase: Awaitable[object]) -> None:
    with pytest.raises(RenameFailedError, match="INVOICING_READ_ONLY") as raised:
        await phase
    assert raised.value.sqlstate == "25006"


def test_a_transaction_that_the_server_ended_says_by_which_limit() -> None:
    """The driver's own words are about the method of it that could not be called."""
    ended = asyncpg.PostgresError("terminating connection due to transaction timeout")
    ended.sqlstate = "25P04"
    with (
        pytest.raises(RenameInterruptedError, match="due to transaction timeout") as raised,
        explained(Target("t", "a", "b")),
    ):
        try:
            raise ended
        except asyncpg.PostgresError:
            message = "cannot call Transaction.__aexit__(): the underlying connection is closed"
            raise asyncpg.InterfaceError(message)  # noqa: B904 -- as the driver raises it
    assert "__aexit__" not in str(raised.value)
