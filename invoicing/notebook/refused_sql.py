"""What an analyst's own SQL is refused for, and what to write instead.

A column that is not there is a slip of the pen here, while in the project's own statements it means
that the schema is another version's.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from invoicing.db.refusal import UNDEFINED_COLUMN, UNDEFINED_TABLE, is_lost, refused
from invoicing.notebook.errors import QueryRefusedError
from invoicing.notebook.parameters import LISTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

    from invoicing.errors import StatementFailedError

_NO_OPERATOR, _SYNTAX, _READ_ONLY = "42883", "42601", "25006"
_MOST_NAMED = 12
_TABLES = """
SELECT c.relname::text FROM pg_catalog.pg_class c
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND pg_catalog.pg_table_is_visible(c.oid)
  AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""


async def refused_sql(
    error: BaseException, connection: asyncpg.Connection, parameters: Mapping[str, Any]
) -> StatementFailedError:
    """Return what the server said of SQL that was written by hand, with what to write instead.

    Args:
        error: the driver's.
        connection: asked for its tables, where it can still be asked.
        parameters: of the statement.
    """
    if is_lost(error):
        return refused(error)
    sqlstate = getattr(error, "sqlstate", None)
    reason = next(iter(str(error).splitlines()), "")
    advice = getattr(error, "hint", None) or ""
    if sqlstate == UNDEFINED_TABLE:
        advice = advice or await _tables_like(reason, connection)
    elif sqlstate == UNDEFINED_COLUMN:
        advice = advice or "Its columns: SELECT * FROM ... LIMIT 0"
    elif sqlstate == _NO_OPERATOR:
        advice = _other_type(reason, parameters) or advice
    elif sqlstate == _SYNTAX and re.search(r'near "(%|\?)"', reason):
        advice = "A parameter is written :name, and its value is given by that name"
    elif sqlstate == _READ_ONLY:
        advice = "What writes needs a session: async with database.transaction() as session"
    return QueryRefusedError(sqlstate, reason, advice or None)


async def _tables_like(reason: str, connection: asyncpg.Connection) -> str:
    found = re.search(r'"([^"]+)"', reason)
    # In a transaction the refusal has ended all that could be asked.
    if found is None or connection.is_closed() or connection.is_in_transaction():
        return ""
    names = [row[0] for row in await connection.fetch(_TABLES)]
    close = get_close_matches(found[1].rpartition(".")[2], names, n=3)
    if close:
        return f"Perhaps you meant {' or '.join(close)}"
    more = ", ..." if len(names) > _MOST_NAMED else ""
    return f"Tables here: {', '.join(names[:_MOST_NAMED]) or 'none'}{more}"


def _other_type(reason: str, parameters: Mapping[str, Any]) -> str:
    """Return what to write where a parameter is compared with a column of another type."""
    lists = [f":{name}" for name, value in parameters.items() if isinstance(value, LISTS)]
    if lists and "record" in reason:
        return f"{' and '.join(lists)} is a list. Write: IN {lists[0]}"
    texts = [f":{name}" for name, value in parameters.items() if isinstance(value, str)]
    if texts and "character varying" in reason:
        return (
            f"{' and '.join(texts)} is a text here. Give the value itself, a number, a date or a "
            f"UUID, or say what it is: CAST({texts[0]} AS date)"
        )
    return ""
