"""The triggers that keep both columns equal, in both directions, from the expand to the contract.

- *sync* (row, before): an update that changes one side wins over the other; one that changes both
  to different values is an error, not a guess. An insert that names one side fills the other.
- *early* (row, before): new code that writes NULL to a row that is not filled yet has computed it
  from the NULL it found (`SET new = new + 1`): an error, for else the write would be lost.
- *count* (statement, before): counts the statements that name the old column, by a sequence:
  `nextval` waits for nobody and is no row to contend for. A transaction that rolls back has
  counted too, so it may count too many and never too few.

Every one of them is ENABLE ALWAYS, so that logical replication and restores, which run with
`session_replication_role = replica`, do not slip past. A replicated row fires no statement trigger,
so *sync* counts its writes.

What they do not do: tell which column an INSERT named. They compare with the default instead: the
side that has the default's value is the one that was left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.rename.names import STATE, literal, quote

if TYPE_CHECKING:
    from invoicing.rename.column import Column
    from invoicing.rename.names import Names


def distinct(column: Column, left: str, right: str) -> str:
    """Return SQL that is true where two values differ in any byte.

    `IS DISTINCT FROM` takes 1.0 and 1.00 for equal, and does not know json at all; comparing row
    images does not, but costs more, so it is used only where the two can disagree.
    """
    if column.equal_means_identical:
        return f"{left} IS DISTINCT FROM {right}"
    return f"pg_catalog.record_image_ne(ROW({left}), ROW({right}))"


def create_functions(names: Names, column: Column) -> list[str]:
    """Return the statements that make the counter and the functions; they lock nothing."""
    return [
        f"CREATE SEQUENCE IF NOT EXISTS {names.sequence}",
        # The application's accounts write through the triggers, and may do nothing else here.
        f"GRANT USAGE ON SCHEMA {quote(STATE)} TO PUBLIC",
        f"GRANT USAGE, SELECT ON SEQUENCE {names.sequence} TO PUBLIC",
        _function(names, names.sync_trigger, _sync_body(names, column)),
        _function(names, names.early_trigger, _early_body(names)),
        _function(names, names.count_trigger, _count_body(names)),
    ]


def create_triggers(names: Names, column: Column) -> list[str]:
    """Return the statements that put the triggers on the table; one short lock serves all."""
    old, new, table = quote(names.old), quote(names.new), names.relation
    differ = distinct(column, f"NEW.{old}", f"NEW.{new}")
    events = {
        names.sync_trigger: f"BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW WHEN ({differ})",
        names.early_trigger: (
            f"BEFORE UPDATE OF {new} ON {table} FOR EACH ROW"
            f" WHEN (NEW.{new} IS NULL AND OLD.{new} IS NULL AND OLD.{old} IS NOT NULL)"
        ),
        names.count_trigger: f"BEFORE UPDATE OF {old} ON {table} FOR EACH STATEMENT",
    }
    statements = []
    for trigger, event in events.items():
        function = f"EXECUTE FUNCTION {names.function(trigger)}()"
        statements.append(f"CREATE OR REPLACE TRIGGER {quote(trigger)} {event} {function}")
        statements.append(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {quote(trigger)}")
    return statements


def drop_triggers(names: Names) -> list[str]:
    """Return the statements that take the triggers off the table."""
    return [
        f"DROP TRIGGER IF EXISTS {quote(trigger)} ON {names.relation}" for trigger in names.triggers
    ]


def drop_functions(names: Names) -> list[str]:
    """Return the statements that drop what `create_functions` made."""
    functions = [f"DROP FUNCTION IF EXISTS {names.function(one)}()" for one in names.triggers]
    return [*functions, f"DROP SEQUENCE IF EXISTS {names.sequence}"]


def _function(names: Names, trigger: str, body: str) -> str:
    tag = f"$rename_{names.key}$"
    return (
        f"CREATE OR REPLACE FUNCTION {names.function(trigger)}() RETURNS trigger"
        f" LANGUAGE plpgsql AS {tag}\n{body}{tag}"
    )


def _count(names: Names) -> str:
    return f"PERFORM pg_catalog.nextval({literal(names.sequence)});"


def _count_body(names: Names) -> str:
    return f"BEGIN\n    {_count(names)}\n    RETURN NULL;\nEND\n"


def _early_body(names: Names) -> str:
    message = (
        f"{names.table}.{names.new} is not filled in this row yet, so that nothing can be computed"
        " from it"
    )
    hint = f"Write {names.old}, or deploy the code that knows {names.new} after the backfill."
    return (
        "BEGIN\n"
        f"    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        f"        MESSAGE = {literal(message)},\n"
        f"        HINT = {literal(hint)},\n"
        f"        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = {literal(names.new)};\n"
        "END\n"
    )


def _sync_body(names: Names, column: Column) -> str:
    old, new = quote(names.old), quote(names.new)
    conflict = (
        f"{names.table}.{names.old} and {names.table}.{names.new} are one value by two names, and"
        " were given two values"
    )
    # A default that is another value each time cannot be recognised: the new side then wins.
    steady = column.default_is_steady
    only_old = _left_out(column, new) if steady else f"NEW.{new} IS NULL"
    only_new = _old_left_out(column, old) if steady else "true"
    counted = f"{_count(names)}\n            " if steady else ""
    return f"""BEGIN
    IF TG_OP = 'INSERT' THEN
        IF {only_old} THEN
            {counted}NEW.{new} := NEW.{old};
        ELSIF {only_new} THEN
            NEW.{old} := NEW.{new};
        ELSE
            {_conflict(names, conflict)}
        END IF;
    ELSIF NOT ({distinct(column, f"NEW.{new}", f"OLD.{new}")}) THEN
        IF current_setting('session_replication_role') = 'replica'
            AND ({distinct(column, f"NEW.{old}", f"OLD.{old}")})
        THEN
            {_count(names)}
        END IF;
        NEW.{new} := NEW.{old};
    ELSIF NOT ({distinct(column, f"NEW.{old}", f"OLD.{old}")}) THEN
        NEW.{old} := NEW.{new};
    ELSE
        {_conflict(names, conflict)}
    END IF;
    RETURN NEW;
END
"""


def _left_out(column: Column, side: str) -> str:
    if column.default is None:
        return f"NEW.{side} IS NULL"
    return f"NOT ({distinct(column, f'NEW.{side}', f'({column.default})::{column.type}')})"


def _old_left_out(column: Column, old: str) -> str:
    """Return SQL that is true where an INSERT left the old side out.

    One of a partition itself has the partition's default, not the table's.
    """
    conditions = [_left_out(column, old)]
    for relation, default in column.partition_defaults:
        if default != column.default:
            own = replace(column, default=default)
            of_value = f" AND {_left_out(own, old)}" if own.default_is_steady else ""
            conditions.append(f"TG_RELID = {relation}{of_value}")
    return " OR ".join(conditions)


def _conflict(names: Names, message: str) -> str:
    return (
        f"RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = {literal(message)},"
        f" HINT = {literal('Write one of them: the other follows.')},"
        f" SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,"
        f" CONSTRAINT = {literal(names.sync_trigger)};"
    )
