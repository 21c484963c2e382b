"""What one column's value is as the other's: two expressions, and the SQL that follows from them.

Both expressions were parsed by the server and are written as its catalog shows them (see `bind`).
Each is the body of a SQL function that the server inlines, so that nothing is ever put in the place
of a name within a text. While both columns live, this holds for every row:

- the new value is the forward expression of the old one, or
- with loss='gate', the old value is the back expression of the new one.

`checked_new` and `checked_old` are what the triggers use: they say to the writer what the other
column cannot hold. Without a conversion all of these are the plain value, and the comparison is the
rename's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import STATE, literal, qualified, quote
from invoicing.toolkit.rename.retype.sides import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asyncpg import PostgresError

    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.retype.sides import Conversion, Side

# SQLSTATE classes of a value that is wrong.
_OF_VALUES = ("22", "23", "P0")


def _called(names: Names, what: str) -> str:
    return qualified(STATE, f"{names.key}_{what}")


def to_new(names: Names, value: str) -> str:
    """Return SQL for what a value of the old column is in the new one."""
    made = names.conversion
    return value if made is None else made.new.as_stored(f"{_called(names, 'forward')}({value})")


def to_old(names: Names, value: str) -> str:
    """Return SQL for what a value of the new column is in the old one."""
    made = names.conversion
    return value if made is None else made.old.as_stored(f"{_called(names, 'back')}({value})")


def checked_new(names: Names, value: str) -> str:
    """Return the same for a trigger: an error to the writer where the new column cannot hold it."""
    return value if names.conversion is None else f"{_called(names, 'to_new')}({value})"


def checked_old(names: Names, value: str) -> str:
    """Return the same of the old column."""
    return value if names.conversion is None else f"{_called(names, 'to_old')}({value})"


def apart(names: Names, made: Conversion, old: str, new: str) -> str:
    """Return SQL that is true where a row's two values do not belong together."""
    differs = made.new.differs(to_new(names, old), new)
    if made.loss == "gate":
        differs += f" AND {made.old.differs(to_old(names, new), old)}"
    return f"({differs})"


def apart_for_triggers(names: Names, old: str, new: str) -> str:
    """Return the same, true as well where an expression fails."""
    return f"NOT {_called(names, 'same')}({old}, {new})"


def lossy(names: Names) -> str:
    """Return SQL that is true of rows whose old value cannot be computed from the new one."""
    made = names.conversion
    if made is None:
        return "false"
    return made.old.differs(to_old(names, quote(names.new)), quote(names.old))


def lossy_rows(names: Names, counts: Mapping[str, int]) -> str | None:
    """Return what is said of rows whose old value is not in the new one; None for none.

    Args:
        names: the rename's.
        counts: the rows by state; those that are not filled are not counted.
    """
    if names.conversion is None or counts["missing"] or not counts["lossy"]:
        return None
    old, new = quote(names.old), quote(names.new)
    if names.keeps_name:
        new = names.conversion.new.type
    return (
        f"{counts['lossy']:,} of {counts['rows']:,} rows have a value of {old} that cannot be "
        f"computed back from {new}: the contract would lose it. Look at them: SELECT ... FROM "
        f"{names.relation} WHERE {lossy(names)}"
    )


def changed(column: str) -> str:
    """Return SQL that is true where an UPDATE changes the column, in any byte."""
    return f"pg_catalog.record_image_ne(ROW(OLD.{column}), ROW(NEW.{column}))"


def create_functions(names: Names) -> list[str]:
    """Return the statements that make the functions of a conversion; they lock nothing."""
    made = names.conversion
    if made is None:
        return []
    old, new = quote(names.old), quote(names.new)
    return [
        _expression(names, "forward", old, made.old, made.new),
        _expression(names, "back", new, made.new, made.old),
        _same(names, made),
        _convertible(names, made),
        _checked(names, "to_new", names.old, names.new, made),
        _checked(names, "to_old", names.new, names.old, made.reversed()),
        # Whoever writes to the table computes them.
        *(f"GRANT EXECUTE ON FUNCTION {_called(names, what)} TO PUBLIC" for what in FUNCTIONS),
    ]


def _expression(names: Names, what: str, argument: str, of: Side, side: Side) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {_called(names, what)}({argument} {of.type})"
        f" RETURNS {side.type} LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN {side.expression}"
    )


def _plpgsql(names: Names, what: str, arguments: str, returns: str, body: str) -> str:
    tag = f"$rename_{names.key}$"
    return (
        f"CREATE OR REPLACE FUNCTION {_called(names, what)}({arguments}) RETURNS {returns}"
        f" LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS {tag}\n{body}{tag}"
    )


def _same(names: Names, made: Conversion) -> str:
    body = (
        f"BEGIN\n    RETURN NOT {apart(names, made, '$1', '$2')};\n"
        "EXCEPTION WHEN OTHERS THEN\n    RETURN false;\nEND\n"
    )
    return _plpgsql(names, "same", f"{made.old.type}, {made.new.type}", "boolean", body)


def _convertible(names: Names, made: Conversion) -> str:
    body = (
        f"BEGIN\n    PERFORM {to_new(names, '$1')};\n    RETURN true;\n"
        "EXCEPTION WHEN OTHERS THEN\n    RETURN false;\nEND\n"
    )
    return _plpgsql(names, "convertible", made.old.type, "boolean", body)


def advise(names: Names, error: PostgresError) -> None:
    """Let an error of the backfill say which rows cannot be converted."""
    if names.conversion is None or str(error.sqlstate)[:2] not in _OF_VALUES:
        return
    error.hint = (
        f"Look at the rows that cannot be converted: SELECT ... FROM {names.relation} WHERE NOT "
        f"{_called(names, 'convertible')}({quote(names.old)}). Change them, then run: "
        f"{names.command('backfill')}; to give it up: {names.command('rollback')}"
    )


def _checked(names: Names, what: str, column: str, other: str, made: Conversion) -> str:
    """Return the function that computes `other` from `column`, of which `made` is the way."""
    forward, back = ("forward", "back") if what == "to_new" else ("back", "forward")
    given, there = f"{names.table}.{column}", f"{names.table}.{other}"
    message = f"{there} ({made.new.type}) cannot hold this value of {given}"
    until = f"Write a value that both columns can hold: {given} and {there} are kept equal."
    if names.keeps_name:
        message = f"{given} is on its way to {made.new.type}, which cannot hold this value"
        until = f"Until that is over, write a value that {made.old.type} and {made.new.type} hold."
    loss = ""
    if made.loss == "error":
        back_value = made.old.as_stored(f"{_called(names, back)}(converted)")
        loss = f"""    IF {made.old.differs(back_value, "$1")} THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation',
            MESSAGE = pg_catalog.concat({literal(message + ": ")},
                pg_catalog.left($1::text, 60), ' would become ',
                pg_catalog.left({back_value}::text, 60)),
            HINT = {literal(until)}, TABLE = {literal(names.table)}, COLUMN = {literal(column)};
    END IF;
"""
    body = f"""DECLARE
    converted {made.new.type};
BEGIN
    converted := {_called(names, forward)}($1);
{loss}    RETURN converted;
EXCEPTION WHEN check_violation THEN
    RAISE;
WHEN OTHERS THEN
    RAISE EXCEPTION USING ERRCODE = SQLSTATE,
        MESSAGE = pg_catalog.concat({literal(message + ": ")}, SQLERRM, ' (',
            pg_catalog.left($1::text, 60), ')'),
        HINT = {literal(until)}, TABLE = {literal(names.table)}, COLUMN = {literal(column)};
END
"""
    return _plpgsql(names, what, made.old.type, made.new.type, body)
