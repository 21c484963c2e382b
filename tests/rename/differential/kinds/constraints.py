"""Constraints of every kind, on the table or on a partition, and foreign keys in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Part

if TYPE_CHECKING:
    from tests.rename.differential.builder import Builder

_CHECKS = (
    "@c IS NOT NULL OR id > 0",
    "@c::text <> 'no' AND note <> '@o'",
    "num_nulls(@c, note, other) < 3",
    "@c IS DISTINCT FROM NULL OR true",
)
_ACTIONS = (
    "",
    " MATCH FULL",
    " ON DELETE CASCADE",
    " ON DELETE SET NULL",
    " ON DELETE SET DEFAULT ON UPDATE CASCADE",
    " ON UPDATE SET NULL",
    " ON UPDATE CASCADE ON DELETE RESTRICT",
    " DEFERRABLE INITIALLY DEFERRED",
    " ON DELETE SET NULL DEFERRABLE",
    " ON DELETE SET NULL (@c)",
)


def _commented(builder: Builder, what: str) -> tuple[str, ...]:
    return (f"COMMENT ON {what} IS 'why not'",) if builder.chance(0.2) else ()


def check(builder: Builder) -> list[Part]:
    name, table = builder.name(), builder.table()
    ends = ["", "", "", " NOT VALID", " NO INHERIT"]
    end = builder.one([*ends, " NOT ENFORCED"] if builder.version >= 18 else ends)
    sql = f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({builder.one(_CHECKS)}){end}"
    return [
        Part(f"check{end.lower()}", (sql, *_commented(builder, f"CONSTRAINT {name} ON {table}")))
    ]


def not_null(builder: Builder) -> list[Part]:
    table = builder.table()
    if builder.version < 18:
        return [Part("not null", (f"ALTER TABLE {table} ALTER @c SET NOT NULL",))]
    end = builder.one(("", " NOT VALID", " NO INHERIT"))
    sql = f"ALTER TABLE {table} ADD CONSTRAINT {builder.name()} NOT NULL @c{end}"
    return [Part(f"not null{end.lower()}", (sql,))]


def unique(builder: Builder) -> list[Part]:
    name, table = builder.name(), builder.table()
    columns = builder.one(("@c, id", "id, @c", "id, @c, other", "@c"))
    nulls = builder.maybe(" NULLS NOT DISTINCT")
    timing = builder.one(("", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"))
    more = builder.maybe(" INCLUDE (note)") + builder.maybe(" WITH (fillfactor = 72)")
    sql = f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE{nulls} ({columns}){more}{timing}"
    return [Part("unique", (sql, *_commented(builder, f"CONSTRAINT {name} ON {table}")))]


def primary_key(builder: Builder) -> list[Part]:
    if builder.key:
        return unique(builder)
    builder.key = columns = builder.one(("id, @c", "@c, id"))
    sql = f"ALTER TABLE @t ADD CONSTRAINT {builder.name()} PRIMARY KEY ({columns})"
    return [Part("primary key", (sql,))]


def exclusion(builder: Builder) -> list[Part]:
    operator = builder.one(("id WITH =, @c WITH =", "int4range(id, id, '[]') WITH &&"))
    if operator.startswith("int4range"):
        operator += ", @c WITH ="
    where = builder.maybe(" WHERE (@c IS NOT NULL)")
    sql = f"ALTER TABLE @t ADD CONSTRAINT {builder.name()} EXCLUDE USING gist ({operator}){where}"
    return [Part("exclusion", (sql,))]


def key_out(builder: Builder) -> list[Part]:
    table, number = builder.table(), builder.number()
    plain = builder.type.sql
    values = ", ".join(f"({value})" for value in builder.type.values)
    end = builder.maybe(" NOT VALID")
    name = builder.name()
    statements = (
        f"CREATE TABLE @s.list_{number} (id {plain} PRIMARY KEY)",
        f"INSERT INTO @s.list_{number} VALUES {values} ON CONFLICT DO NOTHING",
        f'GRANT ALL ON @s.list_{number} TO "Diff Writer"',
        (
            f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (@c) REFERENCES"
            f" @s.list_{number}{builder.one(_ACTIONS)}{end}"
        ),
    )
    first, second = builder.type.values[:2]
    builder.calls += [
        f"DELETE FROM @s.list_{number} WHERE id::text = ({first})::text",
        f"UPDATE @s.list_{number} SET id = {builder.value} WHERE id::text = ({second})::text",
        f"INSERT INTO @s.list_{number} VALUES ({builder.value}) ON CONFLICT DO NOTHING",
    ]
    return [Part("foreign key", statements)]


def key_in(builder: Builder) -> list[Part]:
    """Return a foreign key to the column, or to the table by another column."""
    number = builder.number()
    if builder.chance():
        statements = (
            f"ALTER TABLE @t ADD CONSTRAINT {builder.name()} UNIQUE (@c)",
            (
                f"CREATE TABLE @s.points_{number} (c {builder.type.sql} REFERENCES @t (@c)"
                f"{builder.one(_ACTIONS)})"
            ),
        )
        builder.calls.append(f"INSERT INTO @s.points_{number} VALUES ({builder.value})")
        return [Part("foreign key to it", statements)]
    builder.calls += [
        f"INSERT INTO @s.points_{number} VALUES (2), (3)",
        f"INSERT INTO @s.points_{number} VALUES (99)",
        "DELETE FROM @t WHERE id = 2",
        "UPDATE @t SET id = 98 WHERE id = 3",
    ]
    sql = f"CREATE TABLE @s.points_{number} (id int REFERENCES @t (id){builder.one(_ACTIONS)})"
    return [Part("foreign key to the table", (sql,))]


MAKERS = (check, check, not_null, unique, primary_key, exclusion, key_out, key_in)
