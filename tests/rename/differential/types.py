"""Types of a column: built-in ones, and those of another schema that are made of others."""

from __future__ import annotations

from dataclasses import dataclass

TYPES_SCHEMA = "Other Types"
_T = f'"{TYPES_SCHEMA}"'
# Made in this order in every example, so that a type can be found anywhere.
DEFINITIONS = (
    f"CREATE SCHEMA {_T}",
    f"GRANT USAGE ON SCHEMA {_T} TO PUBLIC",
    f"CREATE TYPE {_T}.mood AS ENUM ('glad', 'sad', 'it''s')",
    f'CREATE TYPE {_T}."Pair" AS (a int, "B" text)',
    f"CREATE DOMAIN {_T}.label AS text",
    f"CREATE DOMAIN {_T}.short AS {_T}.label CHECK (length(VALUE) < 30)",
    f"CREATE DOMAIN {_T}.cents AS bigint DEFAULT 7",
    f"CREATE DOMAIN {_T}.positive AS {_T}.cents CHECK (VALUE > -10)",
    f"CREATE DOMAIN {_T}.required AS int NOT NULL",
    f"CREATE DOMAIN {_T}.moods AS {_T}.mood[]",
    f"CREATE TYPE {_T}.span AS RANGE (subtype = int8)",
)


@dataclass(frozen=True)
class ColumnType:
    """A type, with values of it as SQL.

    Attributes:
        values: the first two differ; none of them is NULL.
        number: whether arithmetic works on it.
        ordered: whether a btree index does.
        copied: values as COPY reads them.
    """

    sql: str
    values: tuple[str, ...]
    number: bool = False
    ordered: bool = True
    copied: tuple[str, ...] = ()


def _texts(*values: str) -> tuple[str, ...]:
    return tuple(f"'{value}'" for value in values)


def _type(sql: str, *values: str, ordered: bool = True) -> ColumnType:
    """Return a type whose values are strings."""
    return ColumnType(sql, _texts(*values), ordered=ordered, copied=values)


def _number(sql: str, *values: str) -> ColumnType:
    return ColumnType(sql, values, number=True, copied=values)


TYPES = (
    _number("bigint", "1", "2", "-5", "0", "9223372036854775807"),
    _number("int", "1", "2", "-5", "0"),
    _number("smallint", "3", "1", "2"),
    _number("numeric", "1.0", "2.5", "1.00", "-3"),
    _number("numeric(8,2)", "1.5", "2", "0.05"),
    _number("double precision", "1.5", "2", "-0.25"),
    _number("money", "1", "2", "3"),
    _type("text", "a", "b", "A", "", "it is a long one"),
    _type("varchar(5)", "a", "b", "abcde", "a "),
    _type("char(3)", "a", "b", "abc"),
    _type('text COLLATE "C"', "a", "B", "b"),
    _type("citext", "a", "b", "A", "B"),
    _type("bytea", "x", "y", ""),
    ColumnType("boolean", ("true", "false"), copied=("t", "f")),
    _type("date", "2024-01-31", "2024-02-01", "infinity"),
    _type("timestamptz", "2024-01-31 12:00+01", "2024-02-01 00:00+00"),
    _type("timestamp(0)", "2024-01-31 12:00:00", "2024-02-01 00:00"),
    _type("interval", "1 day", "1 mon", "24 hours"),
    _type("uuid", "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-00000000000a"),
    _type("jsonb", '{"a": 1}', "[]", '{"a": 1.0}', "null"),
    _type("json", '{"a": 1}', '{"a":  1}', ordered=False),
    _type("inet", "10.0.0.1", "10.0.0.0/8"),
    _type("bit(4)", "0101", "1111"),
    _type("int[]", "{1,2}", "{}", "{NULL,3}"),
    _type("text[]", "{a,b}", "{}"),
    _type("int4range", "[1,5)", "[5,9)", "empty"),
    _type("tstzrange", "[2024-01-01,2024-02-01)", "[2024-03-01,)"),
    _type("int4multirange", "{[1,3)}", "{}"),
    _type("point", "(1,2)", "(3,4)", ordered=False),
    _type("tsvector", "a b", "c"),
    _type(f"{_T}.mood", "glad", "sad"),
    _type(f"{_T}.mood[]", "{glad}", "{sad,glad}"),
    _type(f'{_T}."Pair"', "(1,a)", "(2,)", "(,b)"),
    _type(f"{_T}.label", "a", "b"),
    _type(f"{_T}.short", "a", "b"),
    _number(f"{_T}.cents", "1", "2"),
    _number(f"{_T}.positive", "1", "2"),
    _number(f"{_T}.required", "1", "2"),
    _type(f"{_T}.moods", "{glad}", "{sad}"),
    _type(f"{_T}.span", "[1,5)", "[5,9)"),
)
