"""Which copies the rename made: those of what was dropped or changed since are dropped again.

What was made, of what, and what the catalog says of it is kept with the rename. What has a copy's
name and was there before, or was changed since, was made by hand: it stays, and is named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.names import qualified, quote
from invoicing.toolkit.rename.table import ResolvedTable, find_tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.columns.copies.model import Copy
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.session import RenameSession

# Given with the contract, found by another name in the catalog, or said of `valid` apart.
_NOT_ITS_DEFINITION = frozenset(
    {"oid", "table", "schema", "old_name", "name", "final_name", "valid", "comment"}
    | {"constraint_comment", "clustered", "owner", "unsupported", "parent", "refers", "usual"}
    | {"is_primary", "fits"}
)
_CONSTRAINT = """
SELECT replace(pg_catalog.pg_get_constraintdef(k.oid), ' NOT VALID', '')
FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = $1 AND k.conname = $2
"""
_NOT_NULL = """
SELECT 'NOT NULL' FROM pg_catalog.pg_attribute AS a
WHERE a.attrelid = $1 AND a.attname = $2 AND a.attnotnull AND NOT a.attisdropped
"""
_INDEX = """
SELECT pg_catalog.concat(pg_catalog.pg_get_indexdef(i.indexrelid), pg_catalog.pg_get_constraintdef(
    k.oid)), k.oid IS NOT NULL FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid AND x.relname = $2
LEFT JOIN pg_catalog.pg_constraint AS k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
    AND k.contype = 'u'
WHERE i.indrelid = $1
"""
_NAMED = """
SELECT c.oid, n.nspname::text, c.relname::text FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = $1
"""
_STATISTICS = """
SELECT pg_catalog.pg_get_statisticsobjdef(s.oid) FROM pg_catalog.pg_statistic_ext AS s
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
WHERE s.stxrelid = $1 AND s.stxname = $2 AND n.nspname = $3
"""


@dataclass(frozen=True)
class CopyRecord:
    """One copy as it was made.

    Attributes:
        table: the oid of the table it is on.
        schema: where its name is, of statistics alone.
        old_name: its original's.
        name: its own; the new column's for NOT NULL, which has none before PostgreSQL 18.
        digest: of everything that it was made from; empty where a script made it.
        valid: whether its original held for every row.
        whole: the name of what its original is a partition's part of; None where it is by itself.
        definition: what the catalog says of it; None until it was seen.
        by_hand: whether it was there before the rename came to make it.
    """

    kind: str
    table: int
    schema: str
    old_name: str
    name: str
    digest: str
    valid: bool
    whole: str | None
    definition: str | None = None
    by_hand: bool = False

    @property
    def key(self) -> tuple[str, int, str, str]:
        """Return what identifies it, as its original is identified."""
        return self.kind, self.table, self.schema, self.old_name

    @property
    def group(self) -> tuple[str, int | None, str]:
        """Return what it shares with what can only be dropped with it."""
        parted = self.kind in {"index", "foreign-key"}
        return self.kind, None if parted else self.table, self.whole or self.old_name

    def follows(self, now: CopyRecord) -> bool:
        """Tell whether its original is still what it was made from."""
        named = self.name == now.name or now.whole is not None
        loosened = self.valid and not now.valid and self.kind != "index"
        return self.digest in {"", now.digest} and named and not loosened

    def is_by_hand(self, now: CopyRecord, definition: str | None) -> bool:
        """Tell whether it was changed and its original was not; renamed columns change both."""
        changed = self.digest == now.digest and self.definition not in {None, definition}
        return self.by_hand or changed


def made_from(copy: Copy, new: str) -> CopyRecord:
    """Return what is to be kept of a copy that is made now."""
    values = [
        (field.name, getattr(copy, field.name))
        for field in fields(copy)
        if field.name not in _NOT_ITS_DEFINITION
    ]
    parent = getattr(copy, "parent", None)
    return CopyRecord(
        kind=copy.kind,
        table=copy.table.oid,
        schema=copy.schema if copy.kind == "statistics" else "",
        old_name=copy.old_name if copy.kind != "not-null" else "",
        name=copy.name if copy.kind != "not-null" else new,
        digest=sha256(repr(values).encode()).hexdigest()[:16],
        valid=copy.valid,
        whole=None if parent is None else _whole(parent),
    )


def _whole(copy: Copy) -> str:
    above = getattr(copy, "parent", None)
    return copy.old_name if above is None else _whole(above)


async def read_made(session: RenameSession) -> list[CopyRecord]:
    """Return what was made."""
    noted = await session.state()
    listed = noted.definition.get("copies", []) if noted is not None else []
    return [CopyRecord(**entry) for entry in listed]


async def stale(
    session: RenameSession, tree: Iterable[ResolvedTable], copies: Iterable[Copy]
) -> list[CopyRecord]:
    """Return what is there and has no original any more, or another: wholes before their parts."""
    now = {made.key: made for made in (made_from(copy, session.names.new) for copy in copies)}
    places = {table.oid: place for place, table in enumerate(tree)}
    # A partition's own stay with it where it was detached.
    listed = await read_made(session)
    before = [made for made in listed if made.table in places or made.kind == "referencing"]
    changed = [made for made in before if made.key not in now or not made.follows(now[made.key])]
    groups = {made.group for made in changed}
    found = [made for made in before if made.group in groups]
    found.sort(key=lambda made: places.get(made.table, len(places)))
    return [made for made in found if await _definition(session.connection, made) is not None]


async def drop_stale(session: RenameSession, copies: Sequence[Copy]) -> list[str]:
    """Drop the copies of what was dropped or changed; return what was done, in words."""
    connection, said = session.connection, list[str]()
    tree = await find_tree(connection, session.table, session.target)
    tables = {table.oid: table for table in tree}
    for made in await stale(session, tree, copies):
        definition = await _definition(connection, made)
        if definition is None:
            continue
        name = f"{made.kind} {quote(made.name)}"
        if made.by_hand or made.definition not in {None, definition}:
            original = made.old_name or "NOT NULL"
            said.append(f"{name} stays, for it is not as it was made for {original} here")
            continue
        await _drop(session, made, tables.get(made.table) or await _other(connection, made.table))
        said.append(f"{name} dropped: {made.old_name or 'NOT NULL'} was dropped or changed")
    await _drop_proofs(session, tables, {copy.table.oid for copy in copies if _is_not_null(copy)})
    return said


async def _other(connection: Connection, oid: int) -> ResolvedTable:
    """Return a table that refers to this one."""
    return ResolvedTable(*await connection.fetchrow(_NAMED, oid))


async def _drop_proofs(
    session: RenameSession, tables: dict[int, ResolvedTable], proved: set[int]
) -> None:
    """Drop the CHECKs that a killed verify has left on the way to a NOT NULL that is gone since."""
    name = session.names.not_null_check
    for oid, table in tables.items():
        check = await session.connection.fetchval(_CONSTRAINT, oid, name)
        if oid not in proved and check is not None:
            drop = f"ALTER TABLE {table.sql} DROP CONSTRAINT {quote(name)}"
            await session.ddl.short(drop, also=[oid])


def _is_not_null(copy: Copy) -> bool:
    return copy.kind == "not-null"


async def keep_made(session: RenameSession, copies: Iterable[Copy], *, built: bool) -> None:
    """Keep what is made from the copies: before it is, lest a kill leave it unknown, and after."""
    before = {made.key: made for made in await read_made(session)}
    entries = []
    for copy in copies:
        if copy.unsupported is not None:
            continue
        made = made_from(copy, session.names.new)
        definition = await _definition(session.connection, made)
        known = before.get(made.key)
        by_hand = not built if known is None else known.is_by_hand(made, definition)
        values = asdict(made) | {"by_hand": by_hand and definition is not None}
        if definition is not None and (built or known is not None):
            values["definition"] = definition
        entries.append(values)
    await session.connection.execute(state.note_statement(session.names, copies=entries))


async def _definition(connection: Connection, made: CopyRecord) -> str | None:
    query = {"not-null": _NOT_NULL, "index": _INDEX, "statistics": _STATISTICS}.get(made.kind)
    more = [made.schema] if made.kind == "statistics" else []
    found: str | None = await connection.fetchval(
        query or _CONSTRAINT, made.table, made.name, *more
    )
    return found


async def _drop(session: RenameSession, made: CopyRecord, table: ResolvedTable) -> None:
    alter, name = f"ALTER TABLE {table.sql}", quote(made.name)
    named = qualified(made.schema or table.schema, made.name)
    statement = f"{alter} DROP CONSTRAINT {name}"
    if made.kind == "not-null":
        statement = f"{alter} ALTER COLUMN {name} DROP NOT NULL"
    elif made.kind == "statistics":
        statement = f"DROP STATISTICS {named}"
    elif made.kind == "index":
        row = await session.connection.fetchrow(_INDEX, made.table, made.name)
        if not row[1] and not table.partitioned:
            await session.ddl.long(f"DROP INDEX CONCURRENTLY {named}")
            return
        statement = statement if row[1] else f"DROP INDEX {named}"
    await session.ddl.short(statement, also=[made.table])
