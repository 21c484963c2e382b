"""Indexes of every form, and extended statistics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Part

if TYPE_CHECKING:
    from tests.rename.differential.builder import Builder

_KEYS = (
    "(@c)",
    "(id, @c DESC NULLS LAST)",
    "(@c, other)",
    "((@c::text))",
    "(lower(note) text_pattern_ops, (@c IS NULL))",
    "USING hash (@c)",
    "USING gist (@c)",
    "USING gin (@c)",
    "USING brin (@c)",
    "(id) INCLUDE (@c)",
    '(note COLLATE "C", @c ASC NULLS FIRST)',
    "(num_nulls(@c, note))",
)


def index(builder: Builder) -> list[Part]:
    name, table = builder.name(), builder.table()
    unique = "UNIQUE " if builder.chance(0.2) else ""
    only = "ONLY " if builder.chance(0.2) else ""
    where = builder.maybe(builder.one((" WHERE @c IS NOT NULL", " WHERE other > 2 AND @c IS NULL")))
    options = " WITH (fillfactor = 71)" if builder.chance(0.2) else ""
    sql = f"CREATE {unique}INDEX {name} ON {only}{table} {builder.one(_KEYS)}{options}{where}"
    more = builder.one(
        (
            (),
            (f"COMMENT ON INDEX @s.{name} IS 'by its values'",),
            (f"ALTER TABLE {table} CLUSTER ON {name}",),
            (f"ALTER INDEX @s.{name} ALTER COLUMN 1 SET STATISTICS 77",),
            (f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {name}",),
        )
    )
    return [Part("index", (sql, *more))]


def statistics(builder: Builder) -> list[Part]:
    name, table = builder.name(), builder.table()
    kinds, of = builder.one(
        (
            (" (ndistinct)", "@c, other"),
            (" (mcv, dependencies)", "other, @c"),
            ("", "other, (@c IS NULL)"),
            ("", "(@c::text)"),
        )
    )
    more = builder.one(
        (
            (),
            (f"ALTER STATISTICS @s.{name} SET STATISTICS 60",),
            (f"COMMENT ON STATISTICS @s.{name} IS 'both'",),
        )
    )
    return [Part("statistics", (f"CREATE STATISTICS @s.{name}{kinds} ON {of} FROM {table}", *more))]


MAKERS = (index, index, index, statistics)
