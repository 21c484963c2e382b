"""A foreign table with rows, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

ROWS = 500
TABLE = (
    "CREATE TABLE loan (id bigserial PRIMARY KEY, fee bigint NOT NULL)",
    f"INSERT INTO loan (fee) SELECT n FROM generate_series(1, {ROWS}) AS n",
    "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('001')",
)
# What no script carries over.
TROUBLE = (
    "CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER trouble AFTER UPDATE OF fee ON loan EXECUTE FUNCTION trouble()",
)
STOPS = "\\set ON_ERROR_STOP on\n"


async def fetch(url: URL, query: str) -> Any:
    connection = await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def version(url: URL) -> str:
    return await fetch(url, "SELECT string_agg(version_num, ',') FROM alembic_version")


async def columns(url: URL, table: str = "loan") -> dict[str, tuple[str, bool]]:
    rows = await fetch(
        url,
        "SELECT array_agg(ARRAY[attname, format_type(atttypid, atttypmod), attnotnull::text])"
        f" FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0"
        " AND NOT attisdropped",
    )
    return {name: (kind, null == "true") for name, kind, null in rows}


async def total(url: URL, column: str) -> int:
    return int(await fetch(url, f"SELECT sum({column}) FROM loan"))


SUM = ROWS * (ROWS + 1) // 2


def without_stop(sql: str) -> str:
    """Return the script for what goes on after an error, as programs other than psql do."""
    return "\n".join(line for line in sql.splitlines() if not line.startswith("\\set"))


def first_step(sql: str) -> str:
    """Return the script as far as the column and the triggers: killed before the backfill."""
    return sql.split("DECLARE\n    part record;", maxsplit=1)[0].rpartition("DO $")[0]
