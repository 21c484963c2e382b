"""What rows of a table have to be like, as the catalog says: types, keys, checks, parents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import qualified
from invoicing.toolkit.rename.rehearsal.values import ValueType, fits, value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncpg import Record

    from invoicing.toolkit.rename.connection.pool import Connection

_TYPES = """
SELECT t.oid, t.typname::text AS name, t.typtype::text AS kind, t.typbasetype AS base,
    t.typtypmod AS modifier, CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS element,
    coalesce(r.rngsubtype, 0) AS subtype, coalesce(m.rngtypid, 0) AS of_range,
    ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
        AS labels,
    ARRAY(SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0
        AND NOT attisdropped ORDER BY attnum) AS members
FROM pg_type AS t LEFT JOIN pg_range AS r ON r.rngtypid = t.oid
LEFT JOIN pg_range AS m ON m.rngmultitypid = t.oid
"""
_COLUMNS = """
SELECT a.attname::text AS name, a.atttypid AS type, a.atttypmod AS modifier,
    a.attnotnull OR t.typnotnull AS not_null, a.attnum,
    a.attgenerated <> '' OR a.attidentity <> ''
        OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE '%nextval(%' AS given,
    d.oid IS NOT NULL AS has_default
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_CONSTRAINTS = """
SELECT c.conname::text AS name, c.contype::text AS kind, c.confrelid AS parent,
    pg_get_constraintdef(c.oid) AS definition,
    ARRAY(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (n, place)
        JOIN pg_attribute ON attrelid = c.conrelid AND attnum = k.n ORDER BY place) AS columns,
    ARRAY(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (n, place)
        JOIN pg_attribute ON attrelid = c.confrelid AND attnum = k.n ORDER BY place) AS keys
FROM pg_constraint AS c WHERE c.conrelid = $1
"""
# Of an expression the columns that it depends on.
_UNIQUES = """
SELECT i.indexrelid::regclass::text AS name, i.indisprimary AS is_primary,
    ARRAY(SELECT DISTINCT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = i.indrelid
        AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (SELECT FROM pg_depend AS d
            WHERE d.objid = i.indexrelid AND d.refobjid = i.indrelid
            AND d.refobjsubid = a.attnum))) AS columns
FROM pg_index AS i WHERE i.indrelid = $1 AND (i.indisunique OR i.indisexclusion)
"""
_PARTITION_KEY = """
SELECT a.attname::text FROM pg_partition_tree($1::oid::regclass) AS p
JOIN pg_partitioned_table AS k ON k.partrelid = p.relid
JOIN pg_attribute AS a ON a.attrelid = p.relid AND a.attnum > 0
    AND (a.attnum = ANY (k.partattrs::int2[]) OR 0 = ANY (k.partattrs::int2[]))
"""
_BOUNDS = """
SELECT pg_get_expr(c.relpartbound, c.oid) FROM pg_partition_tree($1::oid::regclass) AS p
JOIN pg_class AS c ON c.oid = p.relid WHERE c.relpartbound IS NOT NULL
"""
_DOMAIN_CHECKS = """
WITH RECURSIVE base AS (SELECT oid, typbasetype FROM pg_type WHERE oid = $1
    UNION ALL SELECT t.oid, t.typbasetype FROM pg_type AS t JOIN base ON t.oid = base.typbasetype)
SELECT pg_get_constraintdef(c.oid) FROM pg_constraint AS c JOIN base ON c.contypid = base.oid
"""
_TEXT, _NUMBER = re.compile(r"'((?:[^']|'')*)'"), re.compile(r"(?<![\w.'])-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class FillColumn:
    """A column that a row needs a value for.

    Attributes:
        literals: what its constraints and its partitions' bounds compare with.
    """

    name: str
    type: ValueType
    not_null: bool
    literals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parent:
    """A foreign key: its columns, and the table and columns that they refer to."""

    columns: tuple[str, ...]
    table: int
    keys: tuple[str, ...]


@dataclass
class TableShape:
    """A table to fill.

    Attributes:
        fresh: columns of which every row has a value of its own.
        blamed: which columns to choose anew when a constraint or an index of that name complains.
    """

    oid: int
    sql: str
    columns: dict[str, FillColumn]
    key: tuple[str, ...] = ()
    fresh: set[str] = field(default_factory=set)
    parents: list[Parent] = field(default_factory=list)
    blamed: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def read_types(connection: Connection) -> dict[int, Record]:
    """Return every type of the database, by its oid."""
    return {row["oid"]: row for row in await connection.fetch(_TYPES)}


async def read_shape(connection: Connection, types: Mapping[int, Record], oid: int) -> TableShape:
    """Return what rows of a table have to be like."""
    schema, name = await connection.fetchrow(
        "SELECT n.nspname::text, c.relname::text FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1",
        oid,
    )
    constraints = await connection.fetch(_CONSTRAINTS, oid)
    bounds = " ".join(row[0] for row in await connection.fetch(_BOUNDS, oid))
    key = {row[0] for row in await connection.fetch(_PARTITION_KEY, oid)}
    columns = {}
    for row in await connection.fetch(_COLUMNS, oid):
        if row["given"]:
            continue
        checks = [row[0] for row in await connection.fetch(_DOMAIN_CHECKS, row["type"])]
        checks += [c["definition"] for c in constraints if row["name"] in c["columns"]]
        kind = value_type(types, row["type"], row["modifier"])
        texts = [*checks, *([bounds] if row["name"] in key else [])]
        found = dict.fromkeys(text for text in _literals(texts) if fits(kind, text))
        if row["has_default"] and value(kind, 1) is None:
            continue
        columns[row["name"]] = FillColumn(row["name"], kind, row["not_null"], tuple(found))
    shape = TableShape(oid, qualified(schema, name), columns)
    for row in constraints:
        shape.blamed[row["name"]] = tuple(row["columns"])
        if row["kind"] == "f":
            parent = Parent(tuple(row["columns"]), row["parent"], tuple(row["keys"]))
            shape.parents.append(parent)
    await _read_uniques(connection, shape, key)
    return shape


async def _read_uniques(connection: Connection, shape: TableShape, bound: set[str]) -> None:
    of_parents = {name for parent in shape.parents for name in parent.columns}
    for row in await connection.fetch(_UNIQUES, shape.oid):
        names = tuple(row["columns"])
        shape.blamed[row["name"].rpartition(".")[2].strip('"')] = names
        if row["is_primary"]:
            shape.key = names
        own = [name for name in names if name in shape.columns and name not in of_parents]
        given = any(name not in shape.columns for name in names)
        if own and not given and not shape.fresh & set(own):
            # Free of a partition's bounds first, and of a type of many values.
            own.sort(key=lambda name: (name in bound, _few(shape.columns[name].type)))
            shape.fresh.add(own[0])


def _few(kind: ValueType) -> int:
    return 2 if kind.kind == "enum" or kind.name in {"bool", "char"} else kind.name == "int2"


def value_type(types: Mapping[int, Record], oid: int, modifier: int = -1) -> ValueType:
    """Return a type, as far as its values are concerned."""
    row = types[oid]
    if row["kind"] == "d":
        return value_type(types, row["base"], row["modifier"])
    if row["kind"] == "e":
        return ValueType(row["name"], "enum", labels=tuple(row["labels"]))
    if row["kind"] == "c":
        members = tuple(value_type(types, member) for member in row["members"])
        return ValueType(row["name"], "composite", members=members)
    inner = row["element"] or row["subtype"] or row["of_range"]
    if inner:
        kinds = {"r": "range", "m": "multirange"}
        element = value_type(types, inner, modifier if row["element"] else -1)
        return ValueType(row["name"], kinds.get(row["kind"], "array"), element=element)
    return ValueType(row["name"], modifier=modifier)


def _literals(definitions: list[str]) -> list[str]:
    """Return what definitions compare with, and for numbers what lies just beside."""
    found = []
    for definition in definitions:
        found += [text.replace("''", "'") for text in _TEXT.findall(definition)]
        for number in _NUMBER.findall(_TEXT.sub(" ", definition)):
            found.append(number)
            if "." not in number:
                found += [str(int(number) + 1), str(int(number) - 1)]
    return found
