"""Take indexes and foreign keys off some tables before a load, and put the same ones back after.

What is there is read from the database's catalog, never from the models, so that a migration which
adds, renames or removes one needs no change here. Whatever its definition alone would not bring
back (an index in a tablespace, the one a table is clustered on or replicated by, a key that a view
or another table leans on) is left in place: the load is then slower, and nothing is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import TextClause

    from invoicing.db import AsyncSession


_TABLES = "CAST(CAST(:tables AS text[]) AS regclass[])"


class Removable(NamedTuple):
    """Something that is dropped before the load, and the statements that bring it back."""

    name: str
    drop: str
    restore: tuple[str, ...]


async def find_removable(session: AsyncSession, tables: Sequence[str]) -> list[Removable]:
    """List foreign keys, then keys, then indexes of `tables`: the order to drop them in."""
    found: list[Removable] = []
    for statement in (_foreign_keys(), _keys(), _indexes()):
        rows = await session.execute(statement, {"tables": list(tables)})
        for name, drop, restore, comment in rows:
            found.append(Removable(name, drop, tuple(filter(None, (restore, comment)))))
    return found


# Of a constraint: its name, how to drop it, how to bring it back, and its comment.
_CONSTRAINT = """
    con.conname,
    format('ALTER TABLE %s DROP CONSTRAINT %I', con.conrelid::regclass, con.conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', con.conrelid::regclass, con.conname,
        pg_get_constraintdef(con.oid)),
    (SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', con.conname, con.conrelid::regclass,
        obj_description(con.oid, 'pg_constraint'))
     WHERE obj_description(con.oid, 'pg_constraint') IS NOT NULL)
"""


def _foreign_keys() -> TextClause:
    return text(f"""
        SELECT {_CONSTRAINT}
        FROM pg_constraint con
        WHERE con.contype = 'f' AND con.conrelid = ANY ({_TABLES})
        ORDER BY con.conrelid::regclass::text, con.conname
    """)


# What leans on a key: a foreign key of a table that is not loaded, a view that groups by it.
_LEANT_ON = f"""
    EXISTS (
        SELECT FROM pg_depend dep LEFT JOIN pg_constraint leaning
            ON dep.classid = 'pg_constraint'::regclass AND dep.objid = leaning.oid
        WHERE dep.deptype = 'n'
            AND (dep.refclassid, dep.refobjid) IN (
                ('pg_constraint'::regclass, con.oid), ('pg_class'::regclass, i.indexrelid))
            AND (leaning.conrelid IS NULL OR leaning.conrelid <> ALL ({_TABLES}))
    )
"""
# What CREATE INDEX or ADD CONSTRAINT alone would not bring back.
_PECULIAR = """
    c.reltablespace <> 0 OR i.indisclustered OR i.indisreplident OR NOT i.indisvalid
    OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attstattarget >= 0)
"""


def _keys() -> TextClause:
    return text(f"""
        SELECT {_CONSTRAINT}
        FROM pg_constraint con JOIN pg_index i ON i.indexrelid = con.conindid
            JOIN pg_class c ON c.oid = i.indexrelid
        WHERE con.contype IN ('p', 'u', 'x') AND con.conrelid = ANY ({_TABLES})
            AND c.reloptions IS NULL AND obj_description(c.oid, 'pg_class') IS NULL
            AND NOT ({_PECULIAR}) AND NOT {_LEANT_ON}
        ORDER BY con.conrelid::regclass::text, con.conname
    """)


def _indexes() -> TextClause:
    return text(f"""
        SELECT c.relname,
            format('DROP INDEX %s', c.oid::regclass),
            pg_get_indexdef(c.oid),
            (SELECT format('COMMENT ON INDEX %s IS %L', c.oid::regclass,
                obj_description(c.oid, 'pg_class'))
             WHERE obj_description(c.oid, 'pg_class') IS NOT NULL)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        WHERE i.indrelid = ANY ({_TABLES})
            AND NOT EXISTS (SELECT FROM pg_constraint con WHERE con.conindid = c.oid)
            AND NOT ({_PECULIAR})
        ORDER BY i.indrelid::regclass::text, c.relname
    """)
