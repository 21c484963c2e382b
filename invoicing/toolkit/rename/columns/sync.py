"""The triggers that keep both columns equal, in both directions, from the expand to the contract.

- *insert* (row, before): the side that the statement did not name follows the other; `marks` says
  which that is. Both named, with two values, is an error.
- *sync* (row, before): an update that changes one side wins over the other; one that changes both
  to different values is an error, not a guess.
- *new*, *old* (row, before, in this order, then *sync*): an update that names both columns and
  gives two values is an error even where one of them is the value that was there.
- *early* (row, before): new code that writes NULL to a row that is not filled yet has computed it
  from the NULL it found (`SET new = new + 1`): an error, for else the write would be lost. So may
  any value of an array, a jsonb or a row have been (`SET new[2] = 5`), and the rest of it be lost.
- *count* (statement, before): counts the updates that name the old column; *insert* counts the
  rows that do. It is a sequence: `nextval` waits for no lock and is no row to contend for. A
  transaction that rolls back has counted too, so it may count too many and never too few.
- *begin*, *begin_update*, *end* (statement): what a statement's rows leave out is kept apart from
  what another's do that a function runs meanwhile. A row that an update moves to another partition
  is inserted there by no INSERT, and counts for nothing (after a MERGE began, it counts).

Every one of them is ENABLE ALWAYS, so that logical replication and restores, which run with
`session_replication_role = replica`, do not slip past. A replicated row fires no statement trigger,
so *sync* and *insert* count its writes.

Their text is compiled in the sessions of clients, so nothing in it may depend on how those are set:
every function, operator and type is named with its schema, and the path is pinned as well.

What they do not see: an INSERT that names the old column and has no row to insert, or gives it
DEFAULT. The update that a foreign key runs (ON DELETE SET NULL, ON UPDATE CASCADE) names the column
by itself, and is distinguished from old code by its text, which only PostgreSQL writes so. A MERGE
that names one column in one branch and the other in another names both in each: there *old* lets
*sync* decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename import nodes
from invoicing.toolkit.rename.columns.marks import left_out, letters, setting
from invoicing.toolkit.rename.names import former, literal, quote
from invoicing.toolkit.rename.retype import conversion, follow

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.table import Column


def distinct(column: Column, left: str, right: str) -> str:
    """Return SQL that is true where two values differ in any byte.

    `IS DISTINCT FROM` has no schema, so it is whatever `=` the path finds first. The type's own
    `<>` takes 1.0 and 1.00 for equal, and does not know json at all; comparing row images does not,
    but costs more, so it is used only where the two can disagree.
    """
    if column.base_type is not None:
        # The new column may be of what the domain is made of (see `like`).
        left, right = (f"({side})::{column.base_type}" for side in (left, right))
    if column.equal_means_identical:
        return (
            f"(({left} IS NULL) OPERATOR(pg_catalog.<>) ({right} IS NULL)"
            f" OR coalesce({left} OPERATOR(pg_catalog.<>) {right}, false))"
        )
    return f"pg_catalog.record_image_ne(ROW({left}), ROW({right}))"


def apart(names: Names, column: Column, old: str, new: str) -> str:
    """Return SQL that is true where a row's two values are not one: the types may not be either."""
    made = names.conversion
    return distinct(column, old, new) if made is None else conversion.apart(names, made, old, new)


def unfilled(names: Names) -> str:
    """Return SQL that is true of rows which the backfill has to write."""
    value = conversion.to_new(names, quote(names.old))
    return f"{missing(quote(names.new))} AND {present(value)}"


def missing(value: str) -> str:
    """Return SQL that is true of NULL alone; `IS NULL` is of a row of NULLs too."""
    return f"{value} IS NOT DISTINCT FROM NULL"


def present(value: str) -> str:
    """Return SQL that is true of every value; `IS NOT NULL` is not of a row with a NULL in it."""
    return f"{value} IS DISTINCT FROM NULL"


def create_functions(names: Names, column: Column) -> list[str]:
    """Return the statements that make the counter and the functions; they lock nothing."""
    if names.keeps_name:
        return follow.create_functions(names)
    return [
        *names.create_counter(),
        *conversion.create_functions(names),
        names.create_function(names.sync_trigger, _sync_body(names, column)),
        names.create_function(names.insert_trigger, _insert_body(names, column)),
        names.create_function(names.early_trigger, _early_body(names)),
        names.create_function(names.count_trigger, _count_body(names)),
        names.create_function(names.both_trigger, _both_body(names)),
    ]


def create_triggers(names: Names, column: Column) -> list[str]:
    """Return the statements that put the triggers on the table; one short lock serves all."""
    if names.keeps_name:
        return follow.create_triggers(names)
    old, new, table = quote(names.old), quote(names.new), names.relation
    differ = _differ(names, column)
    # With a conversion only what changes is converted: what is not filled yet may not be possible.
    moved = f"({conversion.changed(old)} OR {conversion.changed(new)})" if _types(names) else differ
    if column.unchecked_type is not None:
        # A default of ours may have brought a NULL that the domain does not take.
        moved = f"({differ} OR {missing(f'NEW.{old}')})"
    noted = literal(setting(names))
    # Not the backfill, which writes the same.
    lacking = f"{missing(f'OLD.{new}')} AND {present(f'OLD.{old}')} AND ({differ})"
    # The row's next trigger reads it, and the one after that takes it away.
    note_new = f"pg_catalog.set_config({noted}, 'new', true) IS NULL"
    new_noted = f"pg_catalog.starts_with(pg_catalog.current_setting({noted}, true), 'new')"
    # An UPDATE of SET ... = DEFAULT leaves letters, which are not the next row's.
    place = letters(names)
    kept = f"pg_catalog.ltrim(pg_catalog.current_setting({place}, true), 'on')"
    cleared = f"CASE WHEN pg_catalog.set_config({place}, {kept}, true) IS NULL THEN false"
    events = {
        names.insert_trigger: ("BEFORE INSERT", "ROW"),
        names.early_trigger: (
            f"BEFORE UPDATE OF {new}",
            f"ROW WHEN ({lacking})",
        ),
        names.notes["new"]: (
            f"BEFORE UPDATE OF {new}",
            f"ROW WHEN ({cleared} WHEN {moved} THEN {note_new} ELSE false END)",
        ),
        names.both_trigger: (
            f"BEFORE UPDATE OF {old}",
            f"ROW WHEN ({cleared} WHEN {new_noted} THEN {differ} ELSE false END)",
        ),
        names.sync_trigger: ("BEFORE UPDATE", f"ROW WHEN ({moved})"),
    }
    return [
        *(
            statement
            for trigger, (when, rest) in events.items()
            for statement in _trigger(names, trigger, when, table, rest)
        ),
        _statement_triggers(names),
    ]


def _types(names: Names) -> bool:
    return names.conversion is not None


def _differ(names: Names, column: Column) -> str:
    old, new = f"NEW.{quote(names.old)}", f"NEW.{quote(names.new)}"
    if _types(names):
        return conversion.apart_for_triggers(names, old, new)
    return distinct(column, old, new)


def _changes(names: Names, column: Column, name: str) -> str:
    """Return SQL that is true where an UPDATE changes one of the two columns."""
    name = quote(name)
    return (
        conversion.changed(name)
        if _types(names)
        else distinct(column, f"NEW.{name}", f"OLD.{name}")
    )


def _trigger(names: Names, trigger: str, when: str, table: str, rest: str) -> tuple[str, str]:
    # What only notes something has done so when its condition, never true, was looked at.
    function = names.function(trigger if trigger in names.functions else names.count_trigger)
    create = f"CREATE OR REPLACE TRIGGER {quote(trigger)} {when} ON {table} FOR EACH {rest}"
    return (
        f"{create} EXECUTE FUNCTION {function}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {quote(trigger)}",
    )


def _statement_triggers(names: Names) -> str:
    """Return what puts the statements' triggers on each table: partitions do not inherit them."""
    place, old = letters(names), quote(names.old).replace("%", "%%")
    now = f"pg_catalog.current_setting({place}, true)"
    # An INSERT ... ON CONFLICT DO UPDATE begins, and ends, as both.
    begin_insert, begin_update, end = (
        f"STATEMENT WHEN (pg_catalog.set_config({place}, {value}, true) IS NULL)"
        for value in (
            f"pg_catalog.concat('i', {now})",
            f"pg_catalog.concat('u', {now})",
            f"pg_catalog.regexp_replace({now}, '^[on]*[iu]', '')",
        )
    )
    events = {
        names.count_trigger: (f"BEFORE UPDATE OF {old}", "STATEMENT"),
        names.notes["begin"]: ("BEFORE INSERT", begin_insert),
        names.notes["begin_update"]: ("BEFORE UPDATE", begin_update),
        names.notes["end"]: ("AFTER INSERT OR UPDATE", end),
    }
    return _each_table(
        names,
        [
            statement
            for trigger, (when, rest) in events.items()
            for statement in _trigger(names, trigger, when, "%s", rest)
        ],
    )


def drop_triggers(names: Names) -> list[str]:
    """Return the statement that takes the triggers off the table and its partitions."""
    called = [*names.triggers, *map(former, names.triggers)]
    drops = [f"DROP TRIGGER IF EXISTS {quote(trigger)} ON %s" for trigger in called]
    return [_each_table(names, drops)]


def drop_former(names: Names) -> str:
    """Return the statement that takes those off which a former version has made."""
    called = map(former, names.triggers)
    return _each_table(names, [f"DROP TRIGGER IF EXISTS {quote(name)} ON %s" for name in called])


def _each_table(names: Names, statements: list[str]) -> str:
    """Return a statement that runs others for each table of the tree, the root first."""
    root = f"{literal(names.relation)}::pg_catalog.regclass"
    body = "".join(
        f"        EXECUTE pg_catalog.format({literal(statement)}, relation);\n"
        for statement in statements
    )
    return f"""DO $rename_{names.key}$
DECLARE
    relation pg_catalog.regclass;
BEGIN
    FOR relation IN SELECT {root} UNION ALL SELECT relid
        FROM pg_catalog.pg_partition_tree({root}) WHERE relid <> {root}
    LOOP
{body}    END LOOP;
END
$rename_{names.key}$"""


def _count(names: Names) -> str:
    sequence = literal(names.sequence)
    if names.shard is not None:
        return nodes.count(sequence)
    return f"PERFORM pg_catalog.nextval({sequence});"


def _count_body(names: Names) -> str:
    # What the referential triggers run: every name quoted, and the operator qualified.
    name = '"(?:[^"]|"")+"'
    cascade = (
        rf"^[^\n]*\n[^\n]*UPDATE (?:ONLY )?{name}\.{name} SET"
        rf" (?:{name} = (?:NULL|DEFAULT|\$\d+)(?:, )?)+ WHERE \$\d+[^\n]* OPERATOR\("
    )
    return (
        "DECLARE\n    stack text;\nBEGIN\n"
        "    IF pg_catalog.pg_trigger_depth() > 1 THEN\n"
        "        GET DIAGNOSTICS stack = PG_CONTEXT;\n"
        f"        IF stack OPERATOR(pg_catalog.~) {literal(cascade)} THEN\n"
        "            RETURN NULL;\n        END IF;\n    END IF;\n"
        f"    {_count(names)}\n    RETURN NULL;\nEND\n"
    )


def _early_body(names: Names) -> str:
    message = (
        f"{names.table}.{names.new} is not filled in this row yet, so that neither a part of it"
        " nor what was computed from it can be written"
    )
    hint = f"Write {names.old}, or deploy the code that knows {names.new} after the backfill."
    value = f"NEW.{quote(names.new)}"
    return (
        "BEGIN\n"
        # A trigger of the table's own has put the old values back: the next one fills the row.
        "    IF pg_catalog.current_setting('invoicing.backfill', true)"
        " OPERATOR(pg_catalog.=) 'on' THEN\n        RETURN NEW;\n    END IF;\n"
        f"    IF {present(value)} AND NOT EXISTS (WITH RECURSIVE of (type) AS (\n"
        f"            SELECT pg_catalog.pg_typeof({value})::oid UNION ALL\n"
        "            SELECT y.typbasetype FROM of JOIN pg_catalog.pg_type AS y ON y.oid = of.type\n"
        "                AND y.typtype = 'd')\n"
        "        SELECT FROM of JOIN pg_catalog.pg_type AS y ON y.oid = of.type\n"
        "            WHERE y.typtype = 'c' OR y.typsubscript::oid <> 0) THEN\n"
        "        RETURN NEW;\n    END IF;\n"
        f"    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        f"        MESSAGE = {literal(message)},\n"
        f"        HINT = {literal(hint)},\n"
        f"        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = {literal(names.new)};\n"
        "END\n"
    )


def _insert_body(names: Names, column: Column) -> str:
    old, new = quote(names.old), quote(names.new)
    place = letters(names, "pg_catalog.pg_trigger_depth() - 1")
    differ = _differ(names, column)
    replica = "pg_catalog.current_setting('session_replication_role') = 'replica'"
    return f"""DECLARE
    place text := {place};
    stack text := coalesce(pg_catalog.current_setting(place, true), '');
    rest text := pg_catalog.ltrim(stack, 'on');
    noted text := pg_catalog.left(stack, pg_catalog.length(stack) - pg_catalog.length(rest));
    without_old boolean := pg_catalog.strpos(noted, 'o') > 0;
    without_new boolean := pg_catalog.strpos(noted, 'n') > 0;
    counted boolean := true;
    changed record;
    its_default boolean;
BEGIN
    IF noted <> '' THEN
        PERFORM pg_catalog.set_config(place, rest, true);
    ELSIF rest OPERATOR(pg_catalog.!~) '^u?i' THEN
        -- No INSERT began: the row was replicated, or moved by an update; or a partition came since
        -- and has no marks yet.
        without_new := {missing(f"NEW.{new}")};
        without_old := {missing(f"NEW.{old}")};
        counted := {replica} OR {differ};
    END IF;
    IF NOT without_new AND NOT without_old AND {differ} THEN
        {left_out(names)}
        IF without_old = without_new THEN
            {_conflict(names)}
        END IF;
    END IF;
    IF without_new THEN
        NEW.{new} := {conversion.checked_new(names, f"NEW.{old}")};
{_checked_again(names, column)}    ELSIF without_old THEN
        NEW.{old} := {conversion.checked_old(names, f"NEW.{new}")};
    END IF;
    IF counted AND NOT without_old THEN
        {_count(names)}
    END IF;
    RETURN NEW;
END
"""


def _checked_again(names: Names, column: Column) -> str:
    """Return what lets a domain look at a NULL that a default of ours has brought."""
    if column.unchecked_type is None:
        return ""
    return f"        NEW.{quote(names.old)} := NEW.{quote(names.new)};\n"


def _both_body(names: Names) -> str:
    merge = literal(r"\mmerge\M")
    return f"""DECLARE
    stack text;
BEGIN
    GET DIAGNOSTICS stack = PG_CONTEXT;
    IF pg_catalog.concat(pg_catalog.current_query(), stack) OPERATOR(pg_catalog.~*) {merge}
    THEN
        RETURN NEW;
    END IF;
    {_conflict(names)}
END
"""


def _sync_body(names: Names, column: Column) -> str:
    old, new = quote(names.old), quote(names.new)
    noted = literal(setting(names))
    by_old, by_new = (_changes(names, column, name) for name in (names.old, names.new))
    # The backfill writes the same, and so may a client.
    same = f"({by_new}) AND NOT {_differ(names, column)}"
    right = f"    IF {same} THEN\n        RETURN NEW;\n    END IF;\n"
    if column.unchecked_type is not None:
        equal = f"    IF NOT {_differ(names, column)} THEN\n{_checked_again(names, column)}"
        right = f"{equal}        RETURN NEW;\n    END IF;\n"
    return f"""BEGIN
    IF pg_catalog.current_setting({noted}, true) OPERATOR(pg_catalog.<>) '' THEN
        PERFORM pg_catalog.set_config({noted}, '', true);
    END IF;
{right if _types(names) or column.unchecked_type else ""}    IF NOT ({by_new}) THEN
        IF pg_catalog.current_setting('session_replication_role')
            OPERATOR(pg_catalog.=) 'replica'
            AND ({by_old})
        THEN
            {_count(names)}
        END IF;
        NEW.{new} := {conversion.checked_new(names, f"NEW.{old}")};
{_checked_again(names, column)}    ELSIF NOT ({by_old}) THEN
        NEW.{old} := {conversion.checked_old(names, f"NEW.{new}")};
    ELSE
        {_conflict(names)}
    END IF;
    RETURN NEW;
END
"""


def _conflict(names: Names) -> str:
    message = (
        f"{names.table}.{names.old} and {names.table}.{names.new} are one value by two names, and"
        " were given two values"
    )
    return (
        f"RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = {literal(message)},"
        f" HINT = {literal('Write one of them: the other follows.')},"
        f" SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,"
        f" CONSTRAINT = {literal(names.sync_trigger)};"
    )
