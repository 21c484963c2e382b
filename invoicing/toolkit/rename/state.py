"""Where a rename stands, kept in the database it works on: schema `invoicing_rename`.

One row for each rename, and one for each range of pages of its backfill, whose progress is written
in the same transaction as its rows. Anybody may read it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from invoicing.errors import UsageError
from invoicing.toolkit.rename import journal, ownership
from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import MARK, STATE, literal, quote

if TYPE_CHECKING:
    from datetime import datetime

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.names import Names

# Two sessions may come at the same moment, and CREATE ... IF NOT EXISTS is no protection then.
CREATION_LOCK = 0x72656E616D65
SETUP = (
    f"CREATE SCHEMA IF NOT EXISTS {quote(STATE)}",
    f"""CREATE TABLE IF NOT EXISTS {quote(STATE)}.rename (
    key text PRIMARY KEY,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    old_name text NOT NULL,
    new_name text NOT NULL,
    strategy text NOT NULL,
    phase text NOT NULL,
    rows_total bigint NOT NULL DEFAULT 0,
    definition jsonb NOT NULL DEFAULT '{{}}',
    watch jsonb NOT NULL DEFAULT '{{}}',
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
)""",
    f"""CREATE TABLE IF NOT EXISTS {quote(STATE)}.range (
    key text NOT NULL REFERENCES {quote(STATE)}.rename ON DELETE CASCADE,
    relation oid NOT NULL,
    file oid NOT NULL,
    first_page bigint NOT NULL,
    end_page bigint NOT NULL,
    stripes integer NOT NULL,
    stripe integer NOT NULL DEFAULT 0,
    page bigint NOT NULL,
    rows_expected bigint NOT NULL,
    rows_updated bigint NOT NULL DEFAULT 0,
    skipped boolean NOT NULL DEFAULT false,
    PRIMARY KEY (key, relation, first_page)
) WITH (fillfactor = 50)""",
    *journal.SETUP,
    f"GRANT USAGE ON SCHEMA {quote(STATE)} TO PUBLIC",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(STATE)} TO PUBLIC",
)
# Where it may not, the schema stays, empty, for the next rename.
MAY_DROP = (
    "(SELECT pg_catalog.pg_has_role(n.nspowner, 'USAGE') FROM pg_catalog.pg_namespace AS n"
    f" WHERE n.nspname = {literal(STATE)})"
)
# Rows of a range that are done, as far as its pages and stripes say: for progress, not for proof.
DONE = (
    "CASE WHEN stripe >= stripes THEN rows_expected ELSE (rows_expected * (stripe"
    " + (page - first_page)::numeric / greatest(end_page - first_page, 1)) / stripes)::bigint END"
)


# Columns that our tables have had in every version.
_FOREIGN = """
SELECT c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, w.column_name
FROM (VALUES ('rename', 'key'), ('rename', 'phase'), ('rename', 'strategy'), ('range', 'key'),
    ('range', 'stripe'), ('run', 'key'), ('run', 'phase')) AS w (relation, column_name)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = $1
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.relation
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
    WHERE a.attrelid = c.oid AND a.attname = w.column_name AND NOT a.attisdropped)
ORDER BY 1, 3 LIMIT 1
"""


@dataclass
class State:
    """The row of one rename."""

    key: str
    strategy: str
    phase: Phase
    rows_total: int = 0
    definition: dict[str, Any] = field(default_factory=dict)
    watch: dict[str, Any] = field(default_factory=dict)
    begun_at: datetime | None = None
    changed_at: datetime | None = None


async def has_state(connection: Connection) -> bool:
    """Tell whether any rename was ever begun in this database."""
    found = await connection.fetchval("SELECT to_regclass($1)", f"{quote(STATE)}.range")
    return found is not None


async def refuse_foreign(connection: Connection) -> None:
    """Refuse to keep anything in a schema that another program made.

    Raises:
        UsageError: a table of the schema has one of our names, and not our columns.
    """
    row = await connection.fetchrow(_FOREIGN, STATE)
    if row is not None:
        table, owner, column = row
        message = (
            f"cannot use the schema {quote(STATE)}, in which a rename keeps its journal: its table "
            f"{table}, of {owner}, is not the rename's (it has no column {column}). Nothing was "
            f"changed. Rename that schema (ALTER SCHEMA {quote(STATE)} RENAME TO ...), then run "
            "the same command again"
        )
        raise UsageError(message)


async def set_up(connection: Connection) -> None:
    """Make the schema and its tables, unless they are there."""
    if await has_state(connection):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", CREATION_LOCK)
        made = await connection.fetchval("SELECT to_regnamespace($1)", quote(STATE))
        # Whoever was given the schema may not be allowed to create it, not even where it exists.
        await write(connection, *(SETUP if made is None else SETUP[1:]))


async def load(connection: Connection, names: Names) -> State | None:
    """Return the rename's row; None when it was never begun, or was rolled back."""
    if not await has_state(connection):
        return None
    row = await connection.fetchrow(
        "SELECT key, strategy, phase, rows_total, definition::text, watch::text, begun_at,"
        f" changed_at FROM {quote(STATE)}.rename WHERE key = $1",
        names.key,
    )
    if row is None:
        return None
    found = dict(row)
    for name in ("definition", "watch"):
        found[name] = json.loads(found[name])
    return State(**found | {"phase": Phase(found["phase"])})


async def others(connection: Connection, names: Names) -> list[str]:
    """Return other unfinished renames of the same table, as `old -> new`."""
    if not await has_state(connection):
        return []
    rows = await connection.fetch(
        "SELECT old_name || CASE WHEN new_name ~ '^invoicing_retype_[0-9a-f]{12}$'"
        " THEN ' (its type)' ELSE ' -> ' || new_name END"
        f" FROM {quote(STATE)}.rename"
        " WHERE schema_name = $1 AND table_name = $2 AND key <> $3 AND phase <> $4",
        names.schema,
        names.table,
        names.key,
        Phase.CONTRACTED,
    )
    return [row[0] for row in rows]


async def begun_types(
    connection: Connection,
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return the type, `back` and `loss` of each unfinished change of a type without `using`.

    The keys are schema, table and column; the newest comes first.
    """
    if not await has_state(connection):
        return {}
    asked = "definition #> '{conversion,asked}'"
    rows = await connection.fetch(
        f"SELECT schema_name, table_name, old_name, {asked} ->> 'type' AS type, {asked} ->> 'back'"
        f" AS back, {asked} ->> 'loss' AS loss FROM {quote(STATE)}.rename WHERE phase <> $1"
        " AND new_name ~ '^invoicing_retype_[0-9a-f]{12}$'"
        f" AND {asked} ->> 'type' IS NOT NULL AND {asked} ->> 'using' IS NULL"
        " ORDER BY begun_at DESC",
        Phase.CONTRACTED,
    )
    names = ("type", "back", "loss")
    return {tuple(row)[:3]: {name: row[name] for name in names} for row in rows}


async def begin(
    connection: Connection, names: Names, strategy: str, definition: dict[str, Any]
) -> None:
    """Write the rename's row, or begin it again where it was contracted before."""
    await connection.execute(
        f"INSERT INTO {quote(STATE)}.rename (key, schema_name, table_name, old_name, new_name,"
        " strategy, phase, definition) VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)"
        " ON CONFLICT (key) DO UPDATE SET strategy = excluded.strategy, phase = excluded.phase,"
        " definition = excluded.definition, rows_total = 0, watch = '{}',"
        " begun_at = clock_timestamp(), changed_at = clock_timestamp()",
        names.key,
        names.schema,
        names.table,
        names.old,
        names.new,
        strategy,
        Phase.EXPANDING,
        json.dumps(definition),
    )
    await write(connection, ownership.hand_over(names))


def set_phase(names: Names, phase: Phase) -> str:
    """Return the statement that says how far the rename has come."""
    return (
        f"UPDATE {MARK} {quote(STATE)}.rename SET phase = {literal(phase)},"
        f" changed_at = clock_timestamp() WHERE key = {literal(names.key)}"
    )


def note_numbers(names: Names) -> str:
    """Return the statement that notes the table and both columns by oid and number.

    And the default of their type, for a default of ours that repeats it.
    """
    relation = f"{literal(names.relation)}::pg_catalog.regclass"

    def number(column: str) -> str:
        return (
            "(SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid ="
            f" {relation} AND a.attname = {literal(column)} AND NOT a.attisdropped)"
        )

    of_type = (
        "(SELECT y.typdefault FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y"
        f" ON y.oid = a.atttypid WHERE a.attrelid = {relation} AND a.attname = {literal(names.old)}"
        " AND NOT a.attisdropped)"
    )
    return (
        f"UPDATE {MARK} {quote(STATE)}.rename SET definition = definition"
        f" || pg_catalog.jsonb_build_object('oid', {relation}::pg_catalog.oid::bigint,"
        f" 'old', {number(names.old)}, 'new', {number(names.new)}, 'of_type',"
        f" coalesce({of_type}, ''))"
        f" WHERE key = {literal(names.key)}"
    )


async def save(connection: Connection, names: Names, **values: Any) -> None:
    """Write some columns of the rename's row."""
    encoded = {
        name: json.dumps(value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    # The engine's driver has a codec for jsonb of its own; text passes through any.
    casts = {name: "::text::jsonb" for name, value in values.items() if isinstance(value, dict)}
    changes = ", ".join(
        f"{name} = ${place}{casts.get(name, '')}" for place, name in enumerate(encoded, 2)
    )
    await connection.execute(
        f"UPDATE {quote(STATE)}.rename SET {changes}, changed_at = clock_timestamp()"
        " WHERE key = $1",
        names.key,
        *encoded.values(),
    )


def note_statement(names: Names, **values: Any) -> str:
    """Return the statement that writes something into the rename's definition."""
    return (
        f"UPDATE {MARK} {quote(STATE)}.rename SET definition = definition"
        f" || {literal(json.dumps(values))}::jsonb WHERE key = {literal(names.key)}"
    )


async def forget_ranges(connection: Connection, names: Names) -> None:
    """Delete every range: the column that they were filled in is gone."""
    await connection.execute(f"DELETE FROM {quote(STATE)}.range WHERE key = $1", names.key)
