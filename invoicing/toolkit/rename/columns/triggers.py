"""The table's own triggers that fire on the column: UPDATE OF it, or WHEN on it.

From the expand on, UPDATE OF names both columns, so that code by either name fires them; the
contract leaves the new one, in the old one's place, and the rollback the old one. A WHEN of an
AFTER trigger sees two equal columns, so that it is rewritten only for the contract: a probe on an
empty table says what it becomes (see `copies.definitions`). What a trigger has to be is read from
the catalog at each phase, so that a killed one is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.columns.copies.definitions import Definitions, Text
from invoicing.toolkit.rename.errors import ContractRefusedError
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import OWN_TRIGGERS, literal, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.session import RenameSession

# Each trigger's beginning is put together from the catalog's parts, and `rest` is what its
# definition has after that: nothing is looked for in a text that a name may be in. What was named
# otherwise by PostgreSQL has no rest. $1 is the table, $2 the column.
_FOUND = f"""
WITH RECURSIVE named AS (
    SELECT t.*, n.nspname, c.relname,
        ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(t.tgattr::int2[])
            WITH ORDINALITY AS o (number, place) JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = t.tgrelid AND a.attnum = o.number ORDER BY o.place) AS columns,
        pg_catalog.concat(CASE WHEN t.tgtype::int & 2 = 2 THEN 'BEFORE' ELSE 'AFTER' END, ' ') AS
            timing,
        EXISTS (SELECT FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = t.tgrelid AND a.attnum = d.refobjsubid AND a.attname = $2
            WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objid = t.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.refobjid = t.tgrelid) AS names_old
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgparentid = 0
        AND t.tgname !~ '{OWN_TRIGGERS}'
), events AS (
    SELECT named.*,
        CASE WHEN tgtype::int & 4 = 4 THEN 'INSERT' END AS inserts,
        CASE WHEN tgtype::int & 8 = 8 THEN 'DELETE' END AS deletes,
        CASE WHEN tgtype::int & 16 = 16 THEN 'UPDATE' END AS updates,
        CASE WHEN columns <> '{{}}' THEN ' OF ' || (SELECT pg_catalog.string_agg(
            pg_catalog.quote_ident(name), ', ' ORDER BY place)
            FROM pg_catalog.unnest(columns) WITH ORDINALITY AS o (name, place)) END AS of_columns,
        CASE WHEN tgtype::int & 32 = 32 THEN 'TRUNCATE' END AS truncates,
        pg_catalog.format('%sTRIGGER %I ', CASE WHEN tgconstraint <> 0 THEN 'CONSTRAINT ' END,
            tgname) AS head,
        pg_catalog.format(' ON %I.%I ', nspname, relname) AS on_table,
        pg_catalog.pg_get_triggerdef(oid) AS definition
    FROM named
), whole AS (
    SELECT events.*, pg_catalog.concat('CREATE ', head, timing, pg_catalog.concat_ws(' OR ',
        inserts, deletes, updates || pg_catalog.concat(of_columns), truncates), on_table) AS start
    FROM events
), clones AS (
    SELECT oid AS root, oid, tgrelid, tgname, tgenabled FROM whole WHERE names_old
    UNION ALL SELECT p.root, t.oid, t.tgrelid, t.tgname, t.tgenabled
    FROM clones AS p JOIN pg_catalog.pg_trigger AS t ON t.tgparentid = p.oid
)
SELECT tgname::text AS name, head, timing, on_table, columns, inserts, deletes, truncates, updates,
    tgconstraint <> 0 AS is_constraint, tgtype::int & 3 = 3 AS before_row,
    pg_catalog.obj_description(oid, 'pg_trigger') AS comment,
    CASE WHEN pg_catalog.starts_with(definition, start)
        THEN pg_catalog.substr(definition, pg_catalog.length(start) + 1) END AS rest,
    (SELECT pg_catalog.min(e.extname::text) FROM pg_catalog.pg_depend AS d JOIN
        pg_catalog.pg_extension AS e ON e.oid = d.refobjid WHERE d.objid = whole.oid
        AND d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass
        AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass) AS extension,
    ARRAY(SELECT pg_catalog.format('ALTER TABLE ONLY %I.%I %s TRIGGER %I', n.nspname, c.relname,
            CASE k.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
            ELSE 'ENABLE ALWAYS' END, k.tgname)
        FROM clones AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.tgrelid
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE k.root = whole.oid AND k.tgenabled <> 'O' ORDER BY k.oid) AS switched
FROM whole WHERE names_old ORDER BY tgname
"""


@dataclass(frozen=True)
class ColumnTrigger:
    """One trigger, as the catalog has it.

    Attributes:
        columns: those of its UPDATE OF.
        rest: what its definition has after the table's name; None where that is not known.
        extension: what it depends on; None for nothing.
        switched: what makes it, and its clones on partitions, as they are switched.
    """

    name: str
    head: str
    timing: str
    on_table: str
    inserts: str | None
    deletes: str | None
    updates: str | None
    truncates: str | None
    columns: tuple[str, ...]
    is_constraint: bool
    before_row: bool
    comment: str | None
    rest: str | None
    extension: str | None
    switched: tuple[str, ...]

    def events(self, columns: Sequence[str]) -> str:
        """Return when it fires, if its UPDATE were OF these columns."""
        of = f" OF {', '.join(map(quote, columns))}" if columns else ""
        updates = self.updates and self.updates + of
        found = (self.inserts, self.deletes, updates, self.truncates)
        return self.timing + " OR ".join(event for event in found if event)

    def made_again(self, columns: Sequence[str], rest: str | None = None) -> list[str]:
        """Return what makes it anew with these columns, and all else as it is."""
        drop = f"DROP TRIGGER {quote(self.name)}{self.on_table}"
        create = f"CREATE {self.head}{self.events(columns)}{self.on_table}{rest or self.rest}"
        said = []
        if self.comment is not None:
            on = f"COMMENT ON TRIGGER {quote(self.name)}{self.on_table}"
            said.append(f"{on}IS {literal(self.comment)}")
        return [drop.rstrip(), create, *self.switched, *said]

    @property
    def text(self) -> Text:
        """Return what a probe is made from."""
        kind = "constraint-trigger" if self.is_constraint else "trigger"
        return Text(kind, self.rest or "", self.events(()))


async def find_triggers(context: RenameContext) -> list[ColumnTrigger]:
    """Return the table's own triggers on the old column."""
    rows = await context.connection.fetch(_FOUND, context.table.oid, context.target.old)
    return [_trigger(row) for row in rows]


def _trigger(row: asyncpg.Record) -> ColumnTrigger:
    values = dict(row) | {name: tuple(row[name]) for name in ("columns", "switched")}
    return ColumnTrigger(**values)


async def on_both(context: RenameContext) -> list[str]:
    """Return what lets triggers by UPDATE OF fire on the new column as well."""
    if context.names.keeps_name:
        return []
    old, new = context.target.old, context.target.new
    return [
        statement
        for trigger in await find_triggers(context)
        if old in trigger.columns and new not in trigger.columns and trigger.rest is not None
        for statement in trigger.made_again((*trigger.columns, new))
    ]


async def fire_on_both(session: RenameSession) -> list[str]:
    """Do so for those that came since the expand; return what was done, in words."""
    statements = await on_both(session)
    if statements:
        await session.ddl.short(*statements)
    names = [statement for statement in statements if statement.startswith("CREATE ")]
    return [f"fires on both columns now: {statement}" for statement in names]


async def on_old(context: RenameContext) -> list[str]:
    """Return what makes triggers that fire on both what they were, for a rollback."""
    old, new = context.target.old, context.target.new
    return [
        statement
        for trigger in await find_triggers(context)
        if {old, new} <= set(trigger.columns) and trigger.rest is not None
        for statement in trigger.made_again([name for name in trigger.columns if name != new])
    ]


async def on_new(context: RenameContext) -> list[str]:
    """Return what makes them what a plain RENAME would have left, for a contract.

    Raises:
        ContractRefusedError: there is one of which that is not known.
    """
    old, new = context.target.old, context.target.new
    definitions = Definitions(context.connection, context.target)
    statements, unknown = list[str](), list[PlanFinding]()
    for trigger in await find_triggers(context):
        reason = await _unknown(context, definitions, trigger)
        if reason is not None:
            unknown.append(reason)
            continue
        kept = [name for name in trigger.columns if name != new]
        columns = [new if name == old else name for name in kept]
        statements += trigger.made_again(columns, definitions.of(trigger.text).text)
    if unknown:
        raise ContractRefusedError(str(context.target), unknown)
    return statements


class TriggerChanges(NamedTuple):
    """What each phase does to them, for the plan."""

    expand: list[str]
    contract: list[str]
    rollback: list[str]


async def planned(context: RenameContext) -> TriggerChanges:
    """Return what is going to be done; nothing where there is one that cannot be carried."""
    try:
        contract = await on_new(context)
    except ContractRefusedError:
        return TriggerChanges([], [], [])
    new = context.target.new
    found = [
        trigger for trigger in await find_triggers(context) if context.target.old in trigger.columns
    ]
    back = [
        statement
        for trigger in found
        for statement in trigger.made_again([name for name in trigger.columns if name != new])
    ]
    return TriggerChanges(await on_both(context), contract, back)


async def trigger_findings(context: RenameContext) -> list[PlanFinding]:
    """Refuse the triggers on the column that cannot be made anew."""
    definitions = Definitions(context.connection, context.target)
    found = [
        await _unknown(context, definitions, trigger) for trigger in await find_triggers(context)
    ]
    return [finding for finding in found if finding is not None]


async def _unknown(
    context: RenameContext, definitions: Definitions, trigger: ColumnTrigger
) -> PlanFinding | None:
    """Return a refusal of what cannot be made anew, or would see another value of the column."""
    reason: str | None = "its definition is not known"
    if trigger.rest is not None:
        await definitions.learn(context.table.sql, [trigger.text])
        reason = definitions.unsupported(trigger.text)
    if reason is None and trigger.extension is not None:
        reason = f"it depends on extension {trigger.extension}"
    unequal = trigger.before_row and not context.names.keeps_name
    if reason is None and unequal and definitions.of(trigger.text) != trigger.text:
        reason = "its WHEN is looked at before the two columns are made equal"
    if reason is None:
        return None
    subject = f"{quote(trigger.name)} ON {context.table.sql}"
    message = (
        f"it cannot be carried to {quote(context.target.new)}: {reason}. Run: DROP TRIGGER "
        f"{subject}, and create it again after the contract"
    )
    return refused("column-trigger", subject, message)
