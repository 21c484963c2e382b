"""What rows hold before a revision and after it was taken back: which values are gone.

Rows are known by their primary key; without one, a column's values are compared as a heap. A NULL
that was filled is no loss. What the server computes, and moments of the last change by their name,
have only to be there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from invoicing.toolkit.proof.rows import read_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from invoicing.toolkit.proof.rows import RowTable

LAST_CHANGE = re.compile(r"updat|modif|chang|touch", re.IGNORECASE)
KEYS = """
    SELECT indrelid::regclass::text, quote_ident(attname) FROM pg_index
    JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey) WHERE indisprimary
"""
TRIGGERS = """
    SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger
    WHERE NOT tgisinternal AND (tgtype & 16) <> 0 AND tgenabled <> 'D'
"""

Row = dict[str, str | None]


@dataclass
class TableValues:
    """The rows of a table, as texts.

    Attributes:
        rows: each by its columns.
        types: of the columns.
        key: the columns of the primary key.
        kept: columns that are written without being asked.
    """

    rows: list[Row]
    types: dict[str, str]
    key: tuple[str, ...]
    kept: set[str] = field(default_factory=set)

    def values(self, column: str, key: tuple[str, ...]) -> Counter[tuple[str | None, ...]]:
        """Return the values of a column that are not NULL, each with the key of its row."""
        return Counter(
            (*(row[name] for name in key), "" if column in self.kept else row[column])
            for row in self.rows
            if row[column] is not None
        )


def values_in(connection: Connection) -> dict[str, TableValues]:
    """Return what is in each table."""
    tables = read_tables(connection)
    keys: dict[str, tuple[str, ...]] = {}
    for name, column in connection.exec_driver_sql(KEYS):
        keys[name] = (*keys.get(name, ()), column)
    values = {}
    for table in tables:
        types = {column.name: column.type for column in table.columns}
        held = TableValues(_rows(connection, table), types, keys.get(table.name, ()))
        held.kept = {column.name for column in table.columns if column.is_computed}
        held.kept |= {
            column.name
            for column in table.columns
            if column.type.startswith("timestamp") and LAST_CHANGE.search(column.name)
        }
        values[table.name] = held
    connection.rollback()
    return values


def _rows(connection: Connection, table: RowTable) -> list[Row]:
    asked = ", ".join(f"CAST({column.name} AS text) AS {column.name}" for column in table.columns)
    names = [column.name for column in table.columns]
    found = connection.exec_driver_sql(f"SELECT {asked} FROM {table.name}")
    return [dict(zip(names, row, strict=True)) for row in found]


def written_by_triggers(connection: Connection, names: set[str]) -> set[tuple[str, str]]:
    """Return the columns of tables that change when a row is updated to what it is."""
    triggered = {name for (name,) in connection.exec_driver_sql(TRIGGERS)} & names
    tables = [table for table in read_tables(connection) if table.name in triggered]
    written = {(table.name, name) for table in tables for name in _written(connection, table)}
    connection.rollback()
    return written


def _written(connection: Connection, table: RowTable) -> set[str]:
    own = next((column.name for column in table.columns if not column.is_computed), None)
    if own is None:
        return set()
    types = {column.name: column.type for column in table.columns}
    before = TableValues(_rows(connection, table), types, ())
    nested = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"UPDATE {table.name} SET {own} = {own}")
        after = TableValues(_rows(connection, table), types, ())
    except DBAPIError:
        return set()  # What refuses it writes nothing.
    finally:
        nested.rollback()
    return {name for name in types if before.values(name, ()) != after.values(name, ())}


def lost(
    before: dict[str, TableValues], after: dict[str, TableValues]
) -> Iterator[tuple[str, str]]:
    """Return each table and column of which values are gone; "" for the column if rows are.

    What is not there any more, or of another type, is the schema's to say.
    """
    for name, held in before.items():
        left = after.get(name)
        if left is None:
            continue
        if len(left.rows) < len(held.rows):
            yield name, ""
            continue
        for column, type_ in held.types.items():
            key = held.key if held.key == left.key and column not in held.key else ()
            is_same = left.types.get(column) == type_ and all(each in left.types for each in key)
            if is_same and held.values(column, key) - left.values(column, key):
                yield name, column
