"""What is said of a column or a table, and the columns beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.rename.differential.case import Part

if TYPE_CHECKING:
    from tests.rename.differential.builder import Builder


def said(builder: Builder) -> list[Part]:
    """Return a comment, a privilege, or how a column is kept."""
    table = builder.table()
    number = builder.number()
    return [
        Part(
            "property",
            (
                builder.one(
                    (
                        f"COMMENT ON COLUMN {table}.@c IS 'it''s \\ \"amt\" {number}'",
                        f"COMMENT ON TABLE {table} IS 'of amt {number}'",
                        f"GRANT SELECT (@c), UPDATE (@c) ON {table} TO diff_reader",
                        f'GRANT INSERT (@c) ON {table} TO "Diff Writer" WITH GRANT OPTION',
                        f'GRANT ALL ON {table} TO "Diff Writer"',
                        f"GRANT SELECT, REFERENCES (@c) ON {table} TO PUBLIC",
                        f"ALTER TABLE ONLY {table} ALTER @c SET STATISTICS {number + 50}",
                        f"ALTER TABLE ONLY {table} ALTER @c SET (n_distinct = {number})",
                        f"ALTER TABLE ONLY {table} ALTER @c SET STORAGE EXTERNAL",
                        f"ALTER TABLE {table} ALTER @c SET COMPRESSION pglz",
                        f"ALTER TABLE ONLY {table} ALTER @c SET DEFAULT {builder.value}",
                        f"ALTER TABLE {table} ALTER @c SET NOT NULL",
                        f"ALTER TABLE {table} REPLICA IDENTITY FULL",
                        f'ALTER TABLE {table} OWNER TO "Diff Writer"',
                    )
                ),
            ),
        )
    ]


def neighbour(builder: Builder) -> list[Part]:
    """Return a generated column: of the column, or of another."""
    name = f"made_{builder.number()}"
    stored = "STORED" if builder.version < 18 or builder.chance() else "VIRTUAL"
    of = builder.one(("@c IS NULL", "num_nulls(@c, other) > 0", "other > 2"))
    kind = "generated from it" if "@c" in of else "generated from another"
    sql = f"ALTER TABLE @t ADD {name} boolean GENERATED ALWAYS AS ({of}) {stored}"
    return [Part(f"{kind}, {stored}", (sql,))]


def identity(builder: Builder) -> list[Part]:
    """Return the column as an identity or with a sequence of its own."""
    if not builder.type.number:
        return said(builder)
    builder.advances = True
    if builder.chance():
        kind = builder.one(("ALWAYS", "BY DEFAULT"))
        builder.identity = kind
        statements = (
            "ALTER TABLE @t ALTER @c DROP DEFAULT, ALTER @c SET NOT NULL",
            f"ALTER TABLE @t ALTER @c ADD GENERATED {kind} AS IDENTITY (START 5000)",
        )
        return [Part("identity", statements)]
    statements = (
        "CREATE SEQUENCE @s.own START 500",
        "ALTER TABLE @t ALTER @c SET DEFAULT nextval('@s.own')",
        "ALTER SEQUENCE @s.own OWNED BY @t.@c",
    )
    return [Part("owned sequence", statements)]


def granted_by_others(builder: Builder) -> list[Part]:
    """Return privileges that another role has given on."""
    statements = (
        'GRANT SELECT (@c) ON @t TO "Diff Writer" WITH GRANT OPTION',
        'SET LOCAL ROLE "Diff Writer"',
        f"GRANT SELECT (@c) ON @t TO {builder.one(('diff_reader', 'PUBLIC'))}",
        "RESET ROLE",
    )
    return [Part("granted by another", statements)]


def default_privileges(builder: Builder) -> list[Part]:
    """Return what new tables and views of the schema are given."""
    what = builder.one(("SELECT ON TABLES TO PUBLIC", "ALL ON TABLES TO diff_reader"))
    return [Part("default privileges", (f"ALTER DEFAULT PRIVILEGES IN SCHEMA @s GRANT {what}",))]


MAKERS = (granted_by_others, default_privileges, said, said, said, neighbour, identity)
