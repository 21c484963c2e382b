"""Turn a driver's error, which fills a screen, into one of ours, which is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from invoicing.errors import ConnectionLostError, SchemaMissingError, StatementFailedError

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

# The server ended the session, or is going down, or the connection broke.
_LOST = ("08", "57P01", "57P02", "57P03")
INSUFFICIENT_PRIVILEGE = "42501"
_GRANT = (
    "Ask the owner for the privilege. What an account needs that only reads: GRANT SELECT ON ALL "
    "TABLES IN SCHEMA ... TO it"
)
UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT = "42P01", "42703", "42704"


def explain(error: DBAPIError) -> StatementFailedError:
    """Return what the server said, by its SQLSTATE: first line and hint, no parameters."""
    # SQLAlchemy wraps asyncpg's exception, which has the message by itself and the hint.
    return refused(getattr(error.orig, "__cause__", None) or error.orig)


def refused(cause: BaseException | None) -> StatementFailedError:
    """Return the same of the driver's own exception."""
    sqlstate = getattr(cause, "sqlstate", None)
    reason = next(iter(str(cause).splitlines()), "") or type(cause).__name__
    if sqlstate in {UNDEFINED_TABLE, UNDEFINED_COLUMN, UNDEFINED_OBJECT}:
        return SchemaMissingError(sqlstate, reason)
    if is_lost(cause):
        return ConnectionLostError(sqlstate, reason)
    hint = getattr(cause, "hint", None)
    if sqlstate == INSUFFICIENT_PRIVILEGE:
        hint = hint or _GRANT
    return StatementFailedError(sqlstate, reason, hint)


def is_lost(error: object) -> bool:
    """Tell whether the driver's error means that the connection is gone."""
    if isinstance(error, (asyncpg.InternalClientError, OSError)):
        return True
    if isinstance(error, asyncpg.InterfaceError):
        # The driver has no class of its own for this.
        return "connection" in str(error)
    return str(getattr(error, "sqlstate", None)).startswith(_LOST)
