"""What the driver raises when a connection dies says so, whichever library was using it."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from invoicing.toolkit.rename import Target
from invoicing.toolkit.rename.connection.pool import explained
from invoicing.toolkit.rename.errors import RenameInterruptedError

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
