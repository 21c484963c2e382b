"""A conversion from the text of a type and of two expressions: the server parses and proves them.

Each expression is first prepared as a single SELECT on the table, which is never run. Then a
generated column of an empty temporary table like the real one is made of it: PostgreSQL takes
there nothing that is not immutable, no subquery, aggregate or set, and nothing of another type than
an assignment would convert. What is used from then on is what the catalog shows of that column,
with every function and operator bound; the text as it was typed is used for nothing else.
The transaction is rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import asyncpg

from invoicing.errors import UsageError
from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.connection.pool import use_client_path
from invoicing.toolkit.rename.connection.undone import undone
from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.retype.sides import Conversion, Side

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection

Context = TypeVar("Context", bound=RenameContext)

CLONE = "pg_temp.invoicing_retype_clone"
_PROBE = quote("invoicing retype probe")
_CAST = quote("invoicing retype cast")
READ = """
SELECT pg_catalog.format_type(a.atttypid, a.atttypmod) AS type, t.typname AS type_name,
    t.typcategory::text AS category, pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression,
    ARRAY(SELECT b.attname::text FROM pg_catalog.pg_depend AS p
        JOIN pg_catalog.pg_attribute AS b ON b.attrelid = p.refobjid AND b.attnum = p.refobjsubid
        WHERE p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND p.refobjid = a.attrelid AND b.attnum <> a.attnum AND (
            p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
            OR p.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.objid = a.attrelid
            AND p.objsubid = a.attnum)) AS columns,
    f.forbidden, f.changing
FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (SELECT
        pg_catalog.min(f.oid::pg_catalog.regprocedure::text) FILTER (WHERE f.provolatile <> 'i')
            AS changing,
        pg_catalog.min(f.oid::pg_catalog.regprocedure::text) FILTER (
            WHERE NOT pg_catalog.has_function_privilege('public', f.oid, 'EXECUTE')) AS forbidden
    FROM pg_catalog.pg_depend AS p JOIN pg_catalog.pg_proc AS f ON f.oid = p.refobjid
    WHERE p.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND p.objid = d.oid
        AND p.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS f
WHERE a.attrelid = $1::pg_catalog.text::pg_catalog.regclass AND a.attname = $2
"""
_NOT_IMMUTABLE = "42P17"


@dataclass(frozen=True)
class _Expression:
    """What one side is computed by.

    Attributes:
        option: the option that gives it.
        text: as it was typed, or the other column's name.
        reads: the column that it is to read.
    """

    option: str
    text: str
    reads: str


async def bind(context: Context) -> Context:
    """Return the context with the conversion that the options ask for, or that was begun.

    Raises:
        UsageError: an expression is none that a type change can use, or another was begun.
    """
    options, noted = context.options, context.conversion
    asked = {name: getattr(options, name) for name in ("type", "using", "back", "loss")}
    own = await state.load(context.connection, context.names)
    if options.type is None:
        begun = own is not None and own.phase is not Phase.CONTRACTED
        if context.target.keeps_name and not begun:
            message = (
                f"cannot change the type of {context.target}: no change of it was begun, and no "
                "type was given. Nothing was changed. Give the type after the column's name"
            )
            raise UsageError(message)
        if (options.using, options.back, options.loss) != (None, None, "error"):
            message = "--using, --back and --loss are of a change of the type; give --type too"
            raise UsageError(message)
        return context
    if options.strategy == "view":
        message = (
            f"cannot change the type of {context.target} by a view, which only gives the column two"
            " names. Nothing was changed. Leave out --strategy view, or --type"
        )
        raise UsageError(message)
    there = context.target.new in context.table.columns
    if own is not None and own.phase is not Phase.CONTRACTED and (there or noted is not None):
        _refuse_other(context, asked)
        return context
    if there:
        return context  # the plan refuses the name
    try:
        made = await _bind(context, asked)
    except asyncpg.InsufficientPrivilegeError:
        raise  # of the temporary table, or of what an expression names: no fault of theirs
    except asyncpg.PostgresError as error:
        raise _error(context, error) from None
    return replace(context, conversion=made)


def _refuse_other(context: RenameContext, asked: dict[str, str | None]) -> None:
    noted = context.conversion
    if noted is not None and noted.asked == asked:
        return
    begun = "without a type" if noted is None else f"with another conversion: {noted}"
    given = "the type" if context.target.keeps_name else "--type"
    message = (
        f"cannot change how {context.target} is converted: that is under way, and was begun"
        f" {begun}. Nothing was changed. Leave out {given} to continue, or go back first: "
        + context.target.command("rollback")
    )
    raise UsageError(message)


async def _bind(context: RenameContext, asked: dict[str, str | None]) -> Conversion:
    connection, target = context.connection, context.target
    column, text = context.column(), str(asked["type"])
    async with undone(connection):
        # Raises for anything that is not exactly a type's name.
        await use_client_path(connection, local=True)
        await connection.fetchval("SELECT $1::pg_catalog.text::pg_catalog.regtype::text", text)
        await connection.execute(f"CREATE TABLE {CLONE} (LIKE {context.table.sql})")
        forward = _Expression("--using", _given(asked["using"], target.old), target.old)
        new = await _side(context, forward, quote(target.new), text)
        await connection.execute(
            f"ALTER TABLE {CLONE} ALTER COLUMN {quote(target.new)} DROP EXPRESSION"
        )
        name = target.new
        if target.keeps_name:
            # It is written over the column as it will be called.
            name = target.old
            await connection.execute(f"ALTER TABLE {CLONE} DROP COLUMN {quote(target.old)}")
            await _rename(connection, target.new, name)
        back = _Expression("--back", _given(asked["back"], name), name)
        old = await _side(context, back, _PROBE, column.type)
    loss = context.options.loss
    return Conversion(old, new, loss, asked["using"] is not None, asked)


def _given(text: str | None, column: str) -> str:
    return quote(column) if text is None else text


async def _side(context: RenameContext, given: _Expression, column: str, type_: str) -> Side:
    connection = context.connection
    try:
        await use_client_path(connection, local=True)
        prepared = await connection.prepare(f"SELECT (\n{given.text}\n) FROM {CLONE}")
        if len(prepared.get_attributes()) != 1:
            raise _wrong(context, given, "it is more than one value")
        await _one(
            connection,
            f"ALTER TABLE {CLONE} ADD COLUMN {column} {type_}"
            f" GENERATED ALWAYS AS (\n{given.text}\n) STORED",
        )
    except asyncpg.PostgresError as error:
        raise _wrong(context, given, _reason(error, given)) from None
    reads = {given.reads}
    if context.target.keeps_name and given.option == "--back":
        await _rename(connection, given.reads, context.target.new)
        reads = {context.target.new}
    # As for every other definition: what it shows has every name in full.
    await connection.execute("SET LOCAL search_path = pg_catalog, pg_temp")
    name = column[1:-1].replace('""', '"')
    row = await connection.fetchrow(READ, CLONE, name)
    if row is None or set(row["columns"]) != reads:
        read = ", ".join(map(quote, row["columns"])) if row is not None else ""
        raise _wrong(context, given, f"it reads {read or 'no column'}")
    if row["changing"] is not None:
        # PostgreSQL looks through a function in SQL, which may be replaced by another tomorrow.
        raise _wrong(context, given, f"{row['changing']} is not declared immutable")
    if row["forbidden"] is not None:
        # The triggers compute it as whoever writes.
        reason = f"not every account may execute {row['forbidden']}, and each writer has to"
        raise _wrong(context, given, reason)
    side = Side(**{part: row[part] for part in ("type", "type_name", "category", "expression")})
    await _check_assignment(context, given, side)
    return side


async def _check_assignment(context: RenameContext, given: _Expression, side: Side) -> None:
    """Refuse what PostgreSQL converts in another way in another session.

    A generated column is proved immutable before its value is converted to the column's type.
    """
    try:
        async with context.connection.transaction():
            await context.connection.execute(
                f"ALTER TABLE {CLONE} ADD COLUMN {_CAST} {side.type}"
                f" GENERATED ALWAYS AS (({side.expression})::{side.type}) STORED"
            )
            await context.connection.execute(f"ALTER TABLE {CLONE} DROP COLUMN {_CAST}")
    except asyncpg.InvalidObjectDefinitionError:
        reason = (
            f"PostgreSQL converts it to {side.type} by what is not immutable: settings of each "
            "writer's session, as TimeZone and DateStyle are, would give different values. Put "
            f"what it depends on into the expression, as in: {quote(given.reads)} AT TIME ZONE "
            "'UTC'"
        )
        raise _wrong(context, given, reason) from None


def _reason(error: asyncpg.PostgresError, given: _Expression) -> str:
    reason = str(error).splitlines()[0]
    if error.sqlstate == _NOT_IMMUTABLE:
        return f"{reason}: it would give another value in another session or at another time"
    if isinstance(error, asyncpg.DatatypeMismatchError) and given.text == quote(given.reads):
        return f"{reason}, and PostgreSQL converts none into the other by itself"
    return reason


def _wrong(context: RenameContext, given: _Expression, reason: str) -> UsageError:
    return UsageError(
        f"cannot convert {context.target} by {given.option} {given.text!r}: {reason}. Nothing was "
        f"changed. Give {given.option} an immutable expression that reads {quote(given.reads)} and "
        "no other column"
    )


def _error(context: RenameContext, error: asyncpg.PostgresError) -> UsageError:
    return UsageError(
        f"cannot convert {context.target} to type {context.options.type!r}: "
        f"{str(error).splitlines()[0]}. Nothing was changed. Give the name of a type"
    )


async def _rename(connection: Connection, column: str, name: str) -> None:
    rename = f"RENAME COLUMN {quote(column)} TO {quote(name)}"
    await connection.execute(f"ALTER TABLE {CLONE} {rename}")


async def _one(connection: Connection, statement: str) -> None:
    """Run exactly one statement: the extended protocol takes no more."""
    prepared = await connection.prepare(statement)
    await prepared.fetch()
