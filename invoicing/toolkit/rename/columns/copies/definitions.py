"""What expressions become when the column has its new name.

They are not edited as text, for a column's name may stand anywhere in an expression, and nothing is
cut from a definition, for what stands where in it depends on names and settings. The catalog's
parts of each original make a probe on an empty temporary table like the real one, whose column is
then renamed; the same parts of the probe are the copy's. The transaction is rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.connection.undone import undone
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.retype.sides import Conversion

# An index's method and keys, with everything that CREATE INDEX can say of each of them.
INDEX_KEYS = """(
    SELECT pg_catalog.format('USING %I (%s)', m.amname, pg_catalog.string_agg(pg_catalog.concat(
            pg_catalog.pg_get_indexdef(i.indexrelid, a.attnum, false),
            ' COLLATE ' || pg_catalog.quote_ident(cn.nspname) || '.'
                || pg_catalog.quote_ident(c.collname),
            ' ' || pg_catalog.quote_ident(opn.nspname) || '.' || pg_catalog.quote_ident(o.opcname),
            ' (' || (SELECT pg_catalog.string_agg(pg_catalog.format('%I = %L',
                    pg_catalog.split_part(p, '=', 1),
                    pg_catalog.substr(p, pg_catalog.strpos(p, '=') + 1)), ', ')
                FROM pg_catalog.unnest(a.attoptions) AS p) || ')',
            (ARRAY[NULL, ' DESC NULLS LAST', ' NULLS FIRST', ' DESC'])[
                i.indoption[a.attnum - 1] + 1]),
        ', ' ORDER BY a.attnum) FILTER (WHERE a.attnum <= i.indnkeyatts)) || coalesce(
        ' INCLUDE (' || pg_catalog.string_agg(
            pg_catalog.pg_get_indexdef(i.indexrelid, a.attnum, false), ', ' ORDER BY a.attnum)
            FILTER (WHERE a.attnum > i.indnkeyatts) || ')', '')
    FROM pg_catalog.pg_class AS x JOIN pg_catalog.pg_am AS m ON m.oid = x.relam
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.oid
    LEFT JOIN pg_catalog.pg_collation AS c ON a.attnum <= i.indnkeyatts
        AND c.oid = i.indcollation[a.attnum - 1]
    LEFT JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.collnamespace
    LEFT JOIN pg_catalog.pg_opclass AS o ON a.attnum <= i.indnkeyatts
        AND o.oid = i.indclass[a.attnum - 1]
    LEFT JOIN pg_catalog.pg_namespace AS opn ON opn.oid = o.opcnamespace
    WHERE x.oid = i.indexrelid GROUP BY m.amname)"""
INDEX_PREDICATE = "pg_catalog.pg_get_expr(i.indpred, i.indrelid)"
# What is said where not the definition is the reason.
BANNED = "an event trigger of this database raised an error"
_CLONE = "pg_temp.invoicing_rename_clone"
_MAKE = {
    "index": "CREATE INDEX {probe} ON {clone} {text}{where}",
    "check": "ALTER TABLE {clone} ADD CONSTRAINT {probe} CHECK ({text})",
    "statistics": "CREATE STATISTICS pg_temp.{probe} ON {text} FROM {clone}",
    "trigger": "CREATE TRIGGER {probe} {predicate} ON {clone} {text}",
    "constraint-trigger": "CREATE CONSTRAINT TRIGGER {probe} {predicate} ON {clone} {text}",
}
# What stands after the table's name, the first that a probe's definition has.
_TRIGGER = """
SELECT pg_catalog.substr(d.text, pg_catalog.strpos(d.text, d.clone) + pg_catalog.length(d.clone)),
    pg_catalog.concat(CASE WHEN d.type & 2 = 2 THEN 'BEFORE ' ELSE 'AFTER ' END,
        pg_catalog.concat_ws(' OR ', CASE WHEN d.type & 4 = 4 THEN 'INSERT' END,
            CASE WHEN d.type & 8 = 8 THEN 'DELETE' END, CASE WHEN d.type & 16 = 16 THEN 'UPDATE'
            END, CASE WHEN d.type & 32 = 32 THEN 'TRUNCATE' END))
FROM (SELECT t.tgname, t.tgtype::int AS type, pg_catalog.pg_get_triggerdef(t.oid) AS text,
        pg_catalog.quote_ident(c.relname) || ' ' AS clone
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    WHERE t.tgrelid = $1) AS d
WHERE d.tgname = $2 AND pg_catalog.strpos(d.text, d.clone) > 0
"""
_ASK = {
    "trigger": _TRIGGER,
    "constraint-trigger": _TRIGGER,
    "index": f"SELECT {INDEX_KEYS}, {INDEX_PREDICATE} FROM pg_catalog.pg_index AS i JOIN"
    " pg_catalog.pg_class AS p ON p.oid = i.indexrelid WHERE i.indrelid = $1 AND p.relname = $2",
    "check": "SELECT pg_catalog.pg_get_expr(k.conbin, k.conrelid), NULL"
    " FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1 AND k.conname = $2",
    "statistics": "SELECT pg_catalog.pg_get_statisticsobjdef_columns(s.oid), NULL"
    " FROM pg_catalog.pg_statistic_ext AS s WHERE s.stxrelid = $1 AND s.stxname = $2",
}


class Text(NamedTuple):
    """What a definition is made from: `text` names columns, and so may an index's predicate.

    Of a trigger, `predicate` is when it fires.
    """

    kind: str
    text: str
    predicate: str | None = None

    @property
    def where(self) -> str:
        """Return the clause of a partial index."""
        return f" WHERE {self.predicate}" if self.predicate is not None else ""


class Definitions:
    """The texts of originals, and what each becomes: asked once, for partitions share them."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        conversion: Conversion | None = None,
        becomes: str | None = None,
    ) -> None:
        """Take what is asked of.

        Args:
            connection: where.
            target: the column.
            conversion: what changes its type.
            becomes: the new column's type where that is another without a conversion.
        """
        self._connection = connection
        self._target = target
        self._type = becomes
        if conversion is not None:
            self._type = f"{conversion.new.type} USING {conversion.new.expression}"
        self._renamed: dict[Text, Text] = {}
        self._reasons: dict[Text, str] = {}

    def of(self, original: Text) -> Text:
        """Return what `original` becomes."""
        return self._renamed.get(original, original)

    def unsupported(self, original: Text) -> str | None:
        """Return why it cannot be known; None where it is."""
        return self._reasons.get(original)

    async def learn(self, table: str, originals: Iterable[Text]) -> None:
        """Find out what the texts of a table's objects become."""
        unknown = set(originals) - self._renamed.keys() - self._reasons.keys()
        if not unknown:
            return
        async with undone(self._connection):
            await self._ask(table, {f"invoicing_{n}": text for n, text in enumerate(unknown)})

    async def _ask(self, table: str, probes: dict[str, Text]) -> None:
        connection, old, new = self._connection, quote(self._target.old), quote(self._target.new)
        await write(connection, f"CREATE TEMP TABLE {_CLONE} (LIKE {table})")
        clone = await connection.fetchval(f"SELECT '{_CLONE}'::pg_catalog.regclass::oid")
        for probe, original in probes.items():
            parts = {"text": original.text, "where": original.where}
            parts["predicate"] = original.predicate or ""
            make = _MAKE[original.kind].format(probe=probe, clone=_CLONE, **parts)
            try:
                async with connection.transaction():
                    await write(connection, make)
                    await self._retype(probe)
            except asyncpg.PostgresError as error:
                said = str(error).splitlines()[0]
                # On an empty table nothing else runs a function of the database's own.
                self._reasons[original] = f"{BANNED}: {said}" if error.context else said
        await self._retype()
        # The new column may be there already, when this is asked after the expand.
        await write(
            connection,
            f"ALTER TABLE {_CLONE} DROP COLUMN IF EXISTS {new} CASCADE",
            f"ALTER TABLE {_CLONE} RENAME COLUMN {old} TO {new}",
        )
        for probe, original in probes.items():
            row = await connection.fetchrow(_ASK[original.kind], clone, probe)
            if row is not None:
                self._renamed[original] = Text(original.kind, *row)
            else:
                self._reasons.setdefault(original, f"it is on {new} as well")

    async def _retype(self, probe: str = "") -> None:
        """Let the server say what an original is on a column of the new type.

        Of one probe it is only asked whether it can be: the others, made later, need the old type.
        """
        connection = self._connection
        if self._type is None:
            return
        column = f"ALTER TABLE {_CLONE} ALTER COLUMN {quote(self._target.old)} TYPE"
        alter = f"{column} {self._type}"
        if not probe:
            await write(connection, alter)
            return
        async with undone(connection):
            await write(connection, alter)
