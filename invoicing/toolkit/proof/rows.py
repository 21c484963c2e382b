"""Rows for every table: what its columns can hold, so that a step that fails on rows fails here.

Plain rows have something in every column, each another value, and fit into narrower types as well.
Wide ones come as long and as large as their types allow, once with NULL wherever it may be, and
with every label of an enumeration; rows of words have what a revision compares with. A table whose
checks or triggers refuse them all stays empty.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

PLAIN_ROWS, MOST_LABELS, FIRST_WORD = 3, 20, 60
LONGEST = 2_000
COLUMNS = """
    SELECT attrelid::regclass::text AS table, quote_ident(attname) AS name,
        format_type(coalesce(nullif(typbasetype, 0), atttypid),
                    CASE WHEN typbasetype <> 0 THEN typtypmod ELSE atttypmod END) AS type,
        attnotnull OR typnotnull AS is_required,
        attgenerated <> '' OR attidentity <> '' OR coalesce(pg_get_expr(adbin, adrelid), '')
            LIKE 'nextval(%' AS is_made,
        attgenerated <> '' AS is_computed,
        coalesce((SELECT array_agg(enumlabel::text ORDER BY enumsortorder) FROM pg_enum
                  WHERE enumtypid IN (atttypid, typbasetype)), '{}') AS labels
    FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_type AS t ON t.oid = atttypid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
    AND relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname ~ '^pg_'
                             OR nspname = 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid
                    AND deptype = 'e')
    ORDER BY attrelid, attnum
"""
REFERENCES = """
    SELECT conrelid::regclass::text, confrelid::regclass::text,
        (SELECT array_agg(quote_ident(attname) ORDER BY number) FROM unnest(conkey)
         WITH ORDINALITY AS k (key, number)
         JOIN pg_attribute ON attrelid = conrelid AND attnum = key),
        (SELECT array_agg(quote_ident(attname) ORDER BY number) FROM unnest(confkey)
         WITH ORDINALITY AS k (key, number)
         JOIN pg_attribute ON attrelid = confrelid AND attnum = key)
    FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
"""
CHECKS = """
    SELECT conrelid::regclass::text, pg_get_constraintdef(c.oid), quote_ident(attname)
    FROM pg_constraint AS c JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY (conkey)
    WHERE contype = 'c'
"""
LITERAL = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(-?\d+(?:\.\d+)?)")
TEXTS = {"character varying", "character", "text", "citext", '"char"', "name", "bit varying"}
SIZE = re.compile(r"\((\d+)(?:,(\d+))?\)")


@dataclass
class RowColumn:
    """A column, and what may be in it."""

    name: str
    type: str
    is_required: bool
    is_made: bool
    is_computed: bool
    labels: list[str]
    allowed: list[str] = field(default_factory=list)


@dataclass
class RowTable:
    """A table with its columns and the tables it refers to, each by pairs of columns."""

    name: str
    columns: list[RowColumn] = field(default_factory=list)
    references: list[tuple[str, list[str], list[str]]] = field(default_factory=list)


def read_tables(connection: Connection) -> list[RowTable]:
    """Return the tables that can hold rows, those that are referred to first."""
    connection.execute(text("SET search_path = public"))
    tables: dict[str, RowTable] = {}
    for row in connection.exec_driver_sql(COLUMNS):
        table = tables.setdefault(row[0], RowTable(row[0]))
        table.columns.append(RowColumn(row[1], row[2], row[3], row[4], row[5], list(row[6])))
    tables.pop("alembic_version", None)
    for name, target, own, other in connection.exec_driver_sql(REFERENCES):
        if name in tables:
            tables[name].references.append((target, own, other))
    for name, definition, column in connection.exec_driver_sql(CHECKS):
        for each in tables[name].columns if name in tables else ():
            if each.name == column:
                literals = LITERAL.findall(definition)
                each.allowed += [quoted or number for quoted, number in literals]
    return list(_in_order(tables))


def _in_order(tables: dict[str, RowTable]) -> Iterator[RowTable]:
    waiting = dict(tables)
    while waiting:
        ready = [
            name
            for name, table in waiting.items()
            if not any(target in waiting and target != name for target, _, _ in table.references)
        ]
        # In a circle there is no first.
        for name in ready or list(waiting)[:1]:
            yield waiting.pop(name)


def fill(connection: Connection, *, wide: bool, only: set[str] | None = None) -> None:
    """Put rows into tables; what a table refuses is left out.

    Args:
        connection: of a database that may be changed.
        wide: add wide rows; plain ones come into empty tables only.
        only: the tables; all if None.
    """
    for table in read_tables(connection):
        if (only is not None and table.name not in only) or not (
            wide or _is_empty(connection, table)
        ):
            continue
        labels = max((len(column.labels) for column in table.columns), default=0)
        for number in range(max(PLAIN_ROWS, min(labels, MOST_LABELS) if wide else 0)):
            for insert in _inserts(table, number, wide=wide):
                if _sent(connection, insert):
                    break
        if wide:
            _sent(connection, _insert(table, 90, wide=True, empty=True))
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    connection.commit()


def fill_with(connection: Connection, words: list[str], only: set[str]) -> None:
    """Put a row for each word into tables: all texts of the row are that word."""
    for table in read_tables(connection):
        if table.name.rpartition(".")[2].strip('"') in only:
            for number, word in enumerate(words, FIRST_WORD):
                _sent(connection, _insert(table, number, wide=False, word=word))
    connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    connection.commit()


def _is_empty(connection: Connection, table: RowTable) -> bool:
    return connection.exec_driver_sql(f"SELECT 1 FROM {table.name} LIMIT 1").first() is None


def _sent(connection: Connection, statement: str) -> bool:
    try:
        with connection.begin_nested():
            return connection.exec_driver_sql(statement).rowcount > 0
    except DBAPIError:
        return False


def _inserts(table: RowTable, number: int, *, wide: bool) -> Iterator[str]:
    """Return ways to fill a row, until its checks let one pass."""
    for as_checked in (False, True):
        yield _insert(table, number, wide=wide, as_checked=as_checked)
    if wide:
        yield _insert(table, number + 50, wide=False, as_checked=True)
    yield _insert(table, number, wide=False, as_checked=True, empty=True)


def _insert(
    table: RowTable,
    number: int,
    *,
    wide: bool,
    as_checked: bool = False,
    empty: bool = False,
    word: str | None = None,
) -> str:
    referring = {own for _, columns, _ in table.references for own in columns}
    names, values, sources = [], [], []
    for column in table.columns:
        is_empty = empty and not column.is_required
        # A wide row says the number of its key as well: a smaller type may not hold it.
        is_made = column.is_made and (column.is_computed or not wide)
        if is_made or (column.name in referring and not is_empty):
            continue
        names.append(column.name)
        # A column that is left out would have its default.
        value = _value(column, number, wide=wide, as_checked=as_checked, word=word)
        values.append("NULL" if is_empty else value)
    taken = set(names)
    for index, (target, own, other) in enumerate(table.references):
        fresh = [pair for pair in zip(own, other, strict=True) if pair[0] not in taken]
        taken |= set(own)
        if target == table.name or not fresh:
            continue
        names += [name for name, _ in fresh]
        values += [f"r{index}.{name}" for _, name in fresh]
        # Another of its rows for each row here: the reference may be unique.
        sources.append(
            f"LEFT JOIN LATERAL (SELECT * FROM {target} ORDER BY ctid OFFSET {number} % greatest("
            f"(SELECT count(*) FROM {target}), 1) LIMIT 1) AS r{index} ON true"
        )
    if not names:
        return f"INSERT INTO {table.name} DEFAULT VALUES"
    chosen = f"SELECT {', '.join(values)} FROM (SELECT 1) AS base {' '.join(sources)}"
    return f"INSERT INTO {table.name} ({', '.join(names)}) OVERRIDING SYSTEM VALUE {chosen}"


def _value(
    column: RowColumn, number: int, *, wide: bool, as_checked: bool, word: str | None = None
) -> str:
    if column.labels:
        value = column.labels[number % len(column.labels)]
    elif word is not None and column.type.partition("(")[0] in TEXTS:
        value = word
    elif as_checked and column.allowed:
        value = column.allowed[number % len(column.allowed)]
    else:
        value = _text_of(column.type, number, wide=wide)
    return f"CAST('{value.replace(chr(39), chr(39) * 2)}' AS {column.type})"


def _text_of(type_: str, number: int, *, wide: bool) -> str:
    if type_.endswith("[]"):
        return "{" + _text_of(type_[:-2], number, wide=wide) + "}"
    size = SIZE.search(type_)
    word = type_.partition("(")[0].strip()
    if word in TEXTS:
        length = min(int(size[1]), LONGEST) if size else (300 if word in {"text", "citext"} else 1)
        length = length if word != "character varying" or size else 300
        start = str(number)
        # In either case, and with a space: what changes only that is a change, too.
        plain = (f"{start}x", f"{start}Y", f" {start}z"[-length:])[number % 3]
        return (start + "x" * (length - len(start)) if wide else plain)[:length]
    if word == "numeric" and size and wide:
        scale = int(size[2] or 0)
        whole = "9" * (int(size[1]) - scale) or "0"
        whole = str(int(whole) - number) if int(whole) > number else whole
        return whole + ("." + "9" * scale if scale else "")
    if not wide and word in {"numeric", "real", "double precision"}:
        # No value of a narrower scale.
        scale = int(size[2] or 0) if size else 1
        return str(number + 1) + ("." + "0" * (scale - 1) + "5" if scale else "")
    large = {"bigint": 3_000_000_000, "integer": 40_000, "numeric": 1}.get(word, 1)
    if word in {"bigint", "integer", "smallint", "numeric", "real", "double precision", "oid"}:
        return str((large if wide else 1) + number)
    return _other(word, number)


def _other(word: str, number: int) -> str:
    day = f"2026-01-{number % 28 + 1:02}"
    texts = {
        "boolean": "false" if number % 2 else "true",
        "date": day,
        "timestamp without time zone": f"{day} 12:34:56.789",
        "timestamp with time zone": f"{day} 12:34:56.789+00",
        "time without time zone": f"12:{number % 60:02}:56",
        "time with time zone": f"12:{number % 60:02}:56+00",
        "interval": f"{number + 1} days 03:04:05",
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "json": f'{{"a": {number}}}',
        "jsonb": f'{{"a": {number}}}',
        "bytea": f"\\x{number % 256:02x}",
        "inet": f"10.0.0.{number % 250}",
        "cidr": f"10.0.{number % 250}.0/24",
        "macaddr": f"08:00:2b:01:02:{number % 256:02x}",
        "money": f"{number + 1}.50",
        "xml": "<a/>",
        "point": f"({number},1)",
        "bit": "1",
        "hstore": f"a=>{number}",
        "ltree": f"a{number}",
    }
    return texts.get(word, "empty" if "range" in word else str(number))
