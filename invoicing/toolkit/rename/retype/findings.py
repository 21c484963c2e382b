"""What the plan says of a conversion: whether the types can be, and what cannot follow the values.

Where no expression was given, values mean the same in both types, and whatever the server makes
of the new type can follow (see `columns.copies.definitions`). With one, 5 may have become 500: what
compares the column with a value of its own (a check, an index's condition, a key of another table)
would be about the wrong values, and would fail live writes. It is refused by its name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.columns.copies.referencing import ReferencingCopy
from invoicing.toolkit.rename.columns.marks import CHANGING
from invoicing.toolkit.rename.columns.sequences import narrow
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.retype.target import type_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.columns.copies import Copy
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.retype.sides import Conversion, Side

_TYPE = """
SELECT t.typtype::text AS kind, t.typdefault IS NOT NULL AS has_default
FROM pg_catalog.pg_type AS t WHERE t.oid = $1::pg_catalog.text::pg_catalog.regtype
"""
_OF_VALUES = """
SELECT i.indexprs IS NOT NULL AS expressions, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS
    predicate FROM pg_catalog.pg_index AS i WHERE i.indexrelid = $1
"""
_CHANGING = "SELECT $1::pg_catalog.text OPERATOR(pg_catalog.~*) $2::pg_catalog.text"
# Whether the referred key's index can compare it with the new type.
_COMPARABLE = """
SELECT format_type(r.atttypid, NULL) AS referred, r.atttypid = n.oid OR EXISTS (
    SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_opclass AS o ON o.oid = i.indclass[0]
    JOIN pg_catalog.pg_amop AS p ON p.amopfamily = o.opcfamily AND p.amopstrategy = 3
    WHERE i.indexrelid = k.conindid AND p.amoplefttype = o.opcintype AND p.amoprighttype = n.oid
) AS fits
FROM pg_catalog.pg_constraint AS k
CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS u (here, there)
JOIN pg_catalog.pg_attribute AS h ON h.attrelid = k.conrelid AND h.attnum = u.here
JOIN pg_catalog.pg_attribute AS r ON r.attrelid = k.confrelid AND r.attnum = u.there
CROSS JOIN (SELECT $3::pg_catalog.text::pg_catalog.regtype::oid AS oid) AS n
WHERE k.oid = $1 AND h.attname = $2
"""
_SAME = {
    False: "is the type of the old column already. Leave out --type to rename it only",
    True: "is the type of the column already: there is nothing to do",
}
_CACHED = (
    'a client that has prepared a statement on the column gets the error "cached plan must not '
    'change result type" (SQLSTATE 0A000) after the contract, for each such statement and '
    "connection, until it is prepared anew: asyncpg does that by itself, but for a transaction "
    "that is open; psycopg 3 repeats the error until DEALLOCATE ALL or a new connection. A "
    "parameter that was prepared with the old type cannot send larger values until then. "
    "Reconnect, or run DISCARD ALL, to be sure"
)


async def conversion_findings(context: RenameContext, copies: Sequence[Copy]) -> list[PlanFinding]:
    """Return what refuses the conversion, and what a person has to know of it."""
    made = context.conversion
    if made is None:
        return []
    found = [
        *_conversion(context, made),
        *await _types(context, made),
        *await _default(context, made),
        *await _sequences(context),
        *_identity(context, made),
        *_narrow_keys(context, made, copies),
    ]
    for copy in copies:
        reason = await _unfit(context, made, copy)
        if reason is not None:
            message = f"{reason}. Drop it first, and add it again after the contract"
            found.append(refused(copy.kind, f"{quote(copy.old_name)} ON {copy.table.sql}", message))
    return found


def in_words(context: RenameContext, made: Conversion) -> str:
    """Return a conversion in words, with the name that the column has in the end."""
    target = context.target
    if not target.keeps_name:
        return str(made)
    # As PostgreSQL writes the other side.
    plain = re.fullmatch("[a-z_][a-z0-9_]*", target.old)
    name = target.old if plain else '"' + target.old.replace('"', '""') + '"'
    return str(made).replace(target.new, name)


def _conversion(context: RenameContext, made: Conversion) -> list[PlanFinding]:
    if not context.target.keeps_name:
        return [PlanFinding("conversion", quote(context.target.new), "noted", _said(context, made))]
    subject = quote(context.target.old)
    return [
        PlanFinding("conversion", subject, "noted", _said_of_type(context, made)),
        PlanFinding("cached-plans", subject, "noted", _CACHED),
    ]


def _said_of_type(context: RenameContext, made: Conversion) -> str:
    old, new = quote(context.target.old), quote(context.target.new)
    lossy = (
        "or from which the old one cannot be computed back, is an error to the writer"
        if made.loss == "error"
        else "is an error to the writer; the gate counts what cannot be computed back"
    )
    return (
        f"{in_words(context, made)}. Until the contract a column {new} follows {old}: a value "
        f"that the new type cannot hold, {lossy}. The contract drops {old} and gives {new} its "
        "name in one transaction, so that no client ever misses it. Not reversible: after the "
        f"contract whatever {made.old.type} cannot hold"
    )


def _said(context: RenameContext, made: Conversion) -> str:
    old, new = quote(context.target.old), quote(context.target.new)
    lossy = (
        "is an error to the writer"
        if made.loss == "error"
        else "is let through if it can be converted at all, and the gate counts the rows"
    )
    return (
        f"{made}. Until the contract both are kept equal by these expressions: a write to either"
        f" column that the other cannot hold, or from which it cannot be computed back, {lossy}. "
        f"Not reversible: rows that are there already and whose {old} cannot be computed back from"
        f" {new} (the gate counts them as lossy), and after the contract whatever {new} has that"
        f" {made.old.type} cannot hold, with which a restore stops"
    )


async def _types(context: RenameContext, made: Conversion) -> list[PlanFinding]:
    column, found = context.column(), []
    subject = f"type {made.new.type}"
    row = await context.connection.fetchrow(_TYPE, made.new.type)
    for side in (made.old, made.new):
        if side.category == "A" and not await _has_equality(context, side):
            message = "is an array of what has no equality, so that it cannot be kept equal"
            found.append(refused("type", f"type {side.type}", message))
    for kind, side in ((column.type_kind, made.old), (row["kind"], made.new)):
        if kind in {"d", "c", "p"}:
            what = {"d": "a domain", "c": "a composite type"}.get(kind, "a pseudo-type")
            message = f"is {what}, for which a change of the type is not supported"
            found.append(refused("type", f"type {side.type}", message))
    if row["has_default"]:
        message = "has a default of its own, for which a change of the type is not supported"
        found.append(refused("type", subject, message))
    if made.new.type == made.old.type and not made.scaled:
        found.append(refused("same-type", subject, _SAME[context.target.keeps_name]))
    if column.collation is not None and made.scaled:
        message = (
            f"has the collation {column.collation}, which an expression over it does not see. Give"
            " no --using, or change the collation first"
        )
        found.append(refused("type", quote(context.target.old), message))
    return found


async def _has_equality(context: RenameContext, side: Side) -> bool:
    """Tell whether arrays of a type can be compared: the server says so of two empty ones."""
    try:
        async with context.connection.transaction():
            empty = f"'{{}}'::{side.type}"
            await context.connection.fetchval(f"SELECT {side.differs(empty, empty)}")
    except asyncpg.UndefinedFunctionError:
        return False
    return True


async def _default(context: RenameContext, made: Conversion) -> list[PlanFinding]:
    default = context.column().default
    if default is None or not made.scaled:
        return []
    if await context.connection.fetchval(_CHANGING, default, CHANGING):
        message = (
            f"its default {default} is no constant, so that --using cannot convert it. Drop it "
            "first, and set one on the new column after the contract"
        )
        return [refused("default", quote(context.target.old), message)]
    return []


def _identity(context: RenameContext, made: Conversion) -> list[PlanFinding]:
    column = context.column()
    if not column.identity or not context.target.keeps_name:
        return []
    if made.new.type_name in {"int2", "int4", "int8"} and not made.scaled:
        return []
    message = "is an identity column, whose numbers have to be integers. Run: DROP IDENTITY"
    return [refused("identity", quote(context.target.old), message)]


def _narrow_keys(
    context: RenameContext, made: Conversion, copies: Sequence[Copy]
) -> list[PlanFinding]:
    """Return the columns that refer to this one and cannot hold what it will."""
    found, options = [], replace(context.options, using=None, back=None)
    for copy in copies:
        if isinstance(copy, ReferencingCopy) and copy.type == made.old.type != made.new.type:
            where = copy.table
            column = type_of(where.name, copy.referring, where.schema, context.target.url)
            message = (
                f"refers to {quote(context.target.old)} and stays {copy.type}: invoicing retype "
                "TABLE COLUMN TYPE changes it first. By phases, run: "
                + column.command("plan", options)
            )
            subject = f"{quote(copy.referring)} ON {where.sql}"
            found.append(PlanFinding("referring-column", subject, "noted", message))
    return found


async def _sequences(context: RenameContext) -> list[PlanFinding]:
    return [
        PlanFinding(
            "sequence-type",
            name,
            "carried",
            f"is of type {type_}, and ends where that ends: it becomes bigint right after the "
            "contract",
        )
        for name, type_, _ in await narrow(context, context.target.old)
    ]


async def _unfit(context: RenameContext, made: Conversion, copy: Copy) -> str | None:
    """Return why a copy would not fit the new values; None where it does."""
    if copy.unsupported is not None:
        return None
    if isinstance(copy, ReferencingCopy):
        if made.scaled:
            return "--using gives the column other values than those that refer to it"
        return None if copy.fits else f"{copy.type} is not comparable with {made.new.type}"
    if copy.kind == "foreign-key":
        return await _unfit_key(context, made, copy)
    if not made.scaled:
        return None
    compared = await _compared(context, copy)
    return f"--using gives the column other values, and {compared}" if compared else None


async def _compared(context: RenameContext, copy: Copy) -> str | None:
    """Return what of a copy is about the old values themselves."""
    if copy.kind == "check":
        return "the check compares the old ones"
    if copy.kind != "index":
        return None
    row = await context.connection.fetchrow(_OF_VALUES, copy.oid)
    if row["expressions"]:
        return "the index is of an expression of the old ones"
    differs = row["predicate"] != getattr(copy, "predicate", None)
    return "the index's condition compares the old ones" if differs else None


async def _unfit_key(context: RenameContext, made: Conversion, copy: Copy) -> str | None:
    if made.scaled:
        return "--using gives the column other values than those of the referred key"
    row = await context.connection.fetchrow(
        _COMPARABLE, copy.oid, context.target.old, made.new.type
    )
    if row is not None and not row["fits"]:
        return f"the key it refers to is {row['referred']}, not comparable with {made.new.type}"
    return None
