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
