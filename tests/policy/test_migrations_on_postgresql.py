"""What the rule says of an order, PostgreSQL says too: the examples are run up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.toolkit.policy import all_rules

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

RULE = all_rules()["reversible-migration"]
ORDER = [label for label in RULE.bad if label.startswith("the ")]
LEFT = [
    "an index stays",
    "a constraint stays",
    "an enumeration's type stays",
    "a type made by itself stays",
    "a trigger stays",
    "an extension stays",
    "a function stays",
    "SQL adds a column",
]
BACK = [
    "in the reverse order",
    "a table with its columns and indexes",
    "an index goes with its column",
    "the type after its table",
    "the type by its object",
    "an enumeration kept as text",
    "a helper of the file",
    "loops over what is known",
    "renamed on the way",
    "made and dropped again",
    "CASCADE takes the rest",
    "in a batch",
]
BEFORE = (
    "CREATE TABLE account (id bigint PRIMARY KEY)",
    "CREATE TABLE invoice (id bigint NOT NULL, total bigint)",
)
TOUCH = "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
# Every object of a schema by its name: relations, columns, constraints, types and so on.
OBJECTS = """
    SELECT 'relation', relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'column', attrelid::regclass || '.' || attname FROM pg_attribute
        JOIN pg_class ON attrelid = pg_class.oid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT 'constraint', conname FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'public'::regnamespace
    UNION ALL SELECT 'trigger', tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT 'extension', extname FROM pg_extension
"""


def objects(connection: Connection) -> set[Any]:
    return {tuple(row) for row in connection.execute(text(OBJECTS))}


def up_and_down(connection: Connection, source: str) -> tuple[set[Any], set[Any]]:
    """Run an example's upgrade and downgrade; give what is there before and after."""
    for statement in (
        BEFORE if "FUNCTION touch()" in source.split("TRIGGER", maxsplit=1)[0] else (*BEFORE, TOUCH)
    ):
        connection.execute(text(statement))
    before = objects(connection)
    scope: dict[str, Any] = {}
    with Operations.context(MigrationContext.configure(connection)):
        exec(compile(source, "example", "exec"), scope)  # our own example
        scope["upgrade"]()
        scope["downgrade"]()
    return before, objects(connection)


async def outcome(url: URL, source: str) -> tuple[set[Any], set[Any]]:
    async with Database(url) as database, database.engine.connect() as connection:
        return await connection.run_sync(up_and_down, source)


@pytest.mark.parametrize("label", ORDER)
async def test_postgresql_refuses_the_order_that_the_rule_finds(
    empty_database_url: URL, label: str
) -> None:
    with pytest.raises(DBAPIError) as caught:
        await outcome(empty_database_url, RULE.bad[label])
    # It depends on it still, or is gone already.
    assert caught.value.orig.sqlstate in {"2BP01", "42704"}


@pytest.mark.parametrize("label", LEFT)
async def test_postgresql_keeps_what_the_rule_says_is_left(
    empty_database_url: URL, label: str
) -> None:
    before, after = await outcome(empty_database_url, RULE.bad[label])
    assert after - before


@pytest.mark.parametrize("label", BACK)
async def test_nothing_is_left_where_the_rule_finds_nothing(
    empty_database_url: URL, label: str
) -> None:
    before, after = await outcome(empty_database_url, RULE.good[label])
    assert before == after
