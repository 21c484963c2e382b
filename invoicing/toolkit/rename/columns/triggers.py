"""The table's own triggers that fire on the column (UPDATE OF it, or WHEN on it) or the backfill.

From the expand on, UPDATE OF names both columns, so that code by either name fires them; the
contract leaves the new one, in the old one's place, and the rollback the old one. A WHEN of an
AFTER trigger sees two equal columns, so that it is rewritten only for the contract: a probe on an
empty table says what it becomes (see `copies.definitions`). What would fire for the rows of the
backfill, whose account may not silence it, passes them over meanwhile (see `silenced`). What a
trigger has to be is read from the catalog at each phase, so that a killed one is simply run again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.acceptance import named
from invoicing.toolkit.rename.columns.copies.definitions import Definitions, Text
from invoicing.toolkit.rename.columns.preflight import to_silence
from invoicing.toolkit.rename.columns.silenced import passing_over, without
from invoicing.toolkit.rename.errors import ContractRefusedError
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import OWN_TRIGGERS, literal, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.session import RenameSession

# Each trigger's beginning is put together from the catalog's parts, and `rest` is what its
# definition has after that: nothing is looked for in a text that a name may be in. What was named
# otherwise by PostgreSQL has no rest. $1 is the table, $2 the column, $3 others that are wanted,
# $4 what is in the condition of those that pass the backfill over.
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
    SELECT events.*, names_old OR tgname = ANY ($3::text[]) OR pg_catalog.strpos(definition, $4) > 0
            AS wanted,
        pg_catalog.concat('CREATE ', head, timing, pg_catalog.concat_ws(' OR ',
        inserts, deletes, updates || pg_catalog.concat(of_columns), truncates), on_table) AS start
    FROM events
), clones AS (
    SELECT oid AS root, oid, tgrelid, tgname, tgenabled FROM whole WHERE wanted
    UNION ALL SELECT p.root, t.oid, t.tgrelid, t.tgname, t.tgenabled
    FROM clones AS p JOIN pg_catalog.pg_trigger AS t ON t.tgparentid = p.oid
)
SELECT tgname::text AS name,
    pg_catalog.quote_ident(tgname) || ' ON ' || tgrelid::pg_catalog.regclass AS subject, names_old,
    head, timing, on_table, columns, inserts, deletes, truncates, updates,
    tgconstraint <> 0 AS is_constraint, tgtype::int & 3 = 3 AS before_row,
    pg_catalog.obj_description(oid, 'pg_trigger') AS comment,
    pg_catalog.has_function_privilege(tgfoid, 'EXECUTE') AS executable,
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
FROM whole WHERE wanted ORDER BY tgname
"""


@dataclass(frozen=True)
class ColumnTrigger:
    """One trigger, as the catalog has it.

    Attributes:
        columns: those of its UPDATE OF.
        rest: what its definition has after the table's name; None where that is not known.
        passes_over: the same, with the condition by which it passes the backfill over.
        is_passing: whether it does so now.
        names_old: whether it names the old column.
        executable: whether this account may call its function, as to create it again asks for.
        extension: what it depends on; None for nothing.
        switched: what makes it, and its clones on partitions, as they are switched.
    """

    name: str
    subject: str
    names_old: bool
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
    executable: bool
    rest: str | None
    passes_over: str | None
    is_passing: bool
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


_PASSES = (
    "it passes the rows of the backfill over, which change nothing for it: from the expand to the "
    "contract or the rollback its WHEN has (invoicing.backfill is not on). If it is to fire for "
    "them: --accept update-trigger"
)


async def find_triggers(
    context: RenameContext, silenced: Sequence[str] = ()
) -> list[ColumnTrigger]:
    """Return the table's own triggers on the old column, and those that pass the backfill over.

    Args:
        context: the rename's.
        silenced: others that have to.
    """
    names = context.names
    rows = await context.connection.fetch(
        _FOUND, context.table.oid, context.target.old, list(silenced), f"'{names.key}on'"
    )
    return [_trigger(row, names) for row in rows]


def _trigger(row: asyncpg.Record, names: Names) -> ColumnTrigger:
    values = dict(row) | {name: tuple(row[name]) for name in ("columns", "switched")}
    values |= {"passes_over": None, "is_passing": False}
    if values["rest"] is not None:
        values["rest"], values["is_passing"] = without(names, values["rest"])
        values["passes_over"] = passing_over(names, values["rest"])
    return ColumnTrigger(**values)


async def on_both(context: RenameContext, silenced: Sequence[str] = ()) -> list[str]:
    """Return what lets triggers by UPDATE OF fire on the new column as well, and others pass."""
    old, new = context.target.old, context.target.new
    statements = []
    for trigger in await find_triggers(context, silenced):
        fires = old in trigger.columns and new not in trigger.columns
        fires = fires and not context.names.keeps_name
        passes = trigger.name in silenced
        if trigger.rest is not None and (fires or (passes and not trigger.is_passing)):
            rest = trigger.passes_over if passes or trigger.is_passing else trigger.rest
            columns = (*trigger.columns, new) if fires else trigger.columns
            statements += trigger.made_again(columns, rest)
    return statements


async def fire_on_both(session: RenameSession) -> list[str]:
    """Do so for those that came since the expand; return what was done, in words."""
    statements = await on_both(session)
    if statements:
        await session.ddl.short(*statements)
    names = [statement for statement in statements if statement.startswith("CREATE ")]
    return [f"fires on both columns now: {statement}" for statement in names]


async def on_old(context: RenameContext, silenced: Sequence[str] = ()) -> list[str]:
    """Return what makes triggers what they were before the expand, for a rollback."""
    old, new = context.target.old, context.target.new
    return [
        statement
        for trigger in await find_triggers(context, silenced)
        if {old, new} <= set(trigger.columns) or trigger.is_passing or trigger.name in silenced
        if trigger.rest is not None
        for statement in trigger.made_again([name for name in trigger.columns if name != new])
    ]


async def on_new(context: RenameContext, silenced: Sequence[str] = ()) -> list[str]:
    """Return what makes them what a plain RENAME would have left, for a contract.

    Raises:
        ContractRefusedError: there is one of which that is not known.
    """
    old, new = context.target.old, context.target.new
    definitions = Definitions(context.connection, context.target)
    statements, unknown = list[str](), list[PlanFinding]()
    for trigger in await find_triggers(context, silenced):
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
    silenced = await to_silence(context)
    try:
        contract = await on_new(context, silenced)
    except ContractRefusedError:
        return TriggerChanges([], [], [])
    new = context.target.new
    back = [
        statement
        for trigger in await find_triggers(context, silenced)
        if context.target.old in trigger.columns or trigger.name in silenced
        for statement in trigger.made_again([name for name in trigger.columns if name != new])
    ]
    return TriggerChanges(await on_both(context, silenced), contract, back)


async def trigger_findings(
    context: RenameContext, silenced: Sequence[str] = ()
) -> list[PlanFinding]:
    """Refuse the triggers that cannot be made anew, and name those that will pass the backfill."""
    definitions = Definitions(context.connection, context.target)
    found = []
    for trigger in await find_triggers(context, silenced):
        refusal = await _unknown(context, definitions, trigger)
        passes = trigger.name in silenced or trigger.is_passing
        if refusal is not None and passes and not trigger.names_old:
            refusal = named(replace(refusal, slug="update-trigger"))
        if refusal is not None:
            found.append(refusal)
        elif passes:
            found.append(PlanFinding("update-trigger", trigger.subject, "carried", _PASSES))
    return found


async def _unknown(
    context: RenameContext, definitions: Definitions, trigger: ColumnTrigger
) -> PlanFinding | None:
    """Return a refusal of what cannot be made anew, or would see another value of the column."""
    reason: str | None = "its definition is not known"
    if trigger.rest is not None:
        await definitions.learn(context.table.sql, [trigger.text])
        reason = definitions.unsupported(trigger.text)
    if reason is None and not trigger.executable:
        reason = "this account may not call its function"
    if reason is None and trigger.extension is not None:
        reason = f"it depends on extension {trigger.extension}"
    unequal = trigger.before_row and not context.names.keeps_name
    if reason is None and unequal and definitions.of(trigger.text) != trigger.text:
        reason = "its WHEN is looked at before the two columns are made equal"
    if reason is None:
        return None
    message = (
        f"it cannot be carried to {quote(context.target.new)}: {reason}. Run: DROP TRIGGER "
        f"{trigger.subject}, and create it again after the contract"
    )
    return refused("column-trigger", trigger.subject, message)
