"""A table as a view in its place has to show it: columns, defaults, owner, privileges, comments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.grants import GRANTEE, GRANTOR
from invoicing.toolkit.rename.names import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.names import Names

_FACTS = """
SELECT c.relname AS name, quote_ident(pg_get_userbyid(c.relowner)) AS owner,
    pg_get_userbyid(c.relowner) = current_user AS ours, c.relrowsecurity AS row_security,
    c.relacl IS NULL AS untouched, obj_description(c.oid, 'pg_class') AS comment,
    (SELECT v.oid FROM pg_class AS v WHERE v.relnamespace = c.relnamespace AND v.relname = $2
        AND v.relkind = 'v') AS view,
    ARRAY(SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(x.grantee)) END
        FROM pg_default_acl AS d, aclexplode(d.defaclacl) AS x
        WHERE d.defaclobjtype = 'r' AND d.defaclnamespace IN (0, c.relnamespace)
            AND d.defaclrole = (SELECT oid FROM pg_roles WHERE rolname = current_user)
        ORDER BY 1) AS by_default
FROM pg_class AS c WHERE c.oid = $1
"""
_COLUMNS = """
SELECT a.attname AS name, col_description(a.attrelid, a.attnum) AS comment,
    CASE WHEN a.attgenerated = '' AND a.attidentity = ''
        THEN pg_get_expr(d.adbin, d.adrelid) END AS default
FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_GRANTS = f"""
SELECT g.column_name, {GRANTEE} AS grantee, x.privilege_type, bool_or(x.is_grantable),
    {GRANTOR} AS grantor
FROM (
    SELECT NULL AS column_name, coalesce(c.relacl, acldefault('r', c.relowner)) AS acl
    FROM pg_class AS c WHERE c.oid = $1
    UNION ALL
    SELECT a.attname, a.attacl FROM pg_attribute AS a
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped) AS g
JOIN pg_class AS c ON c.oid = $1, aclexplode(g.acl) AS x
GROUP BY 1, 2, 3, 5 ORDER BY 2, 1 NULLS FIRST, 3, 5 NULLS FIRST
"""
# Everything that the statements of a swap are made from, in one number.
_SEEN = """
SELECT hashtextextended(coalesce(string_agg(concat_ws(' ', c.relname, c.relowner, c.relacl,
    c.relrowsecurity, a.attnum, a.attname, a.atttypid, a.attacl, d.adbin),
    ',' ORDER BY c.oid, a.attnum), ''), 0)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
    AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
WHERE c.oid IN ({relations})
"""
# A type of that name would conflict with the table's row type.
_FREE = """
SELECT to_regclass(format('%I.%I', $1::text, $2::text)) IS NULL
    AND to_regtype(format('%I.%I', $1::text, $2::text)) IS NULL
"""


class AclEntry(NamedTuple):
    """A privilege: `column` is None for one on the whole table, `grantor` where its owner is."""

    column: str | None
    grantee: str
    privilege: str
    grantable: bool
    grantor: str | None = None


class ShownColumn(NamedTuple):
    """A column, and what a view keeps beside it."""

    name: str
    comment: str | None
    default: str | None


@dataclass(frozen=True)
class Shape:
    """A table or a view as it is now.

    Attributes:
        name: its name now.
        base: the name it has, or would get, while a view stands in its place; None if none is free.
        view: the oid of the view in its place; None while there is none.
        ours: whether its owner is this very account.
        row_security: whether rows are hidden from some accounts.
        untouched: whether nothing was ever granted or revoked on the whole of it.
        by_default: accounts that are granted something on each new table or view of ours.
        seen: a number that changes when any of this does.
    """

    oid: int
    name: str
    base: str | None
    view: int | None
    owner: str
    ours: bool
    row_security: bool
    untouched: bool
    comment: str | None
    by_default: tuple[str, ...]
    columns: tuple[ShownColumn, ...]
    grants: tuple[AclEntry, ...]
    seen: int


async def read_shape(connection: Connection, oid: int, names: Names) -> Shape:
    """Return what the catalog has of a table, or of the view in its place."""
    facts = dict(await connection.fetchrow(_FACTS, oid, names.table))
    standing = facts["name"] != names.table
    facts["by_default"] = tuple(facts["by_default"])
    return Shape(
        **facts,
        oid=oid,
        base=facts["name"] if standing else await _free_name(connection, names),
        columns=tuple(ShownColumn(*row) for row in await connection.fetch(_COLUMNS, oid)),
        grants=tuple(AclEntry(*row) for row in await connection.fetch(_GRANTS, oid)),
        seen=await connection.fetchval(seen([oid])),
    )


def seen(relations: Iterable[int]) -> str:
    """Return the query for a number that changes when what is read here does."""
    return _SEEN.format(relations=", ".join(str(int(oid)) for oid in relations))


async def _free_name(connection: Connection, names: Names) -> str | None:
    for suffix in ("base", f"base_{names.key}"):
        name = shortened(f"{names.table}_{suffix}")
        if await connection.fetchval(_FREE, names.schema, name):
            return name
    return None
