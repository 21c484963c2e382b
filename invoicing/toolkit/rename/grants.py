"""Privileges with their grantors: who granted what, in an order that respects grant options.

`GRANTED BY` takes only the current role, so each grantor's statement runs as that role. Where this
account may not SET ROLE to a grantor, the table's owner grants instead; the plan says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Of `x`, an item of the access privileges of the relation `c`.
MAY_ACT = """(CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000
        THEN pg_catalog.pg_has_role(session_user, x.grantor, 'SET')
        ELSE pg_catalog.pg_has_role(session_user, x.grantor, 'MEMBER') END
    AND pg_catalog.has_schema_privilege(x.grantor, c.relnamespace, 'USAGE'))"""
_GRANTOR = "pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantor))"
GRANTOR = f"CASE WHEN x.grantor <> c.relowner AND {MAY_ACT} THEN {_GRANTOR} END"
# Grantors in whose place the owner has to grant, in a query that groups by the others.
LOST = f"""coalesce(pg_catalog.array_agg(DISTINCT {_GRANTOR})
    FILTER (WHERE x.grantor <> c.relowner AND NOT {MAY_ACT}), '{{}}')"""
GRANTEE = """CASE WHEN x.grantee = 0 THEN 'PUBLIC'
    ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) END"""


class Grant(NamedTuple):
    """A privilege as SQL names it, `SELECT ("amt")`; no grantor stands for the table's owner."""

    grantor: str | None
    grantee: str
    privilege: str


def grant_changes(
    relation: str, wanted: Mapping[Grant, bool | None], has: Mapping[Grant, bool | None]
) -> list[str]:
    """Return what makes each privilege of `wanted` what it is there; None takes it away.

    What a grantee has granted by an option that is taken away goes with it.
    """
    given = [grant for grant, option in wanted.items() if option is not None]
    taken = [grant for grant, option in wanted.items() if option is None and grant in has]
    statements = []
    for grant in reversed(_in_order(taken)):
        revoke = f"REVOKE {grant.privilege} ON {relation} FROM {grant.grantee} CASCADE"
        statements.append(_by(grant.grantor, revoke))
    for grant in _in_order(given):
        on, option = f"{grant.privilege} ON {relation}", wanted[grant]
        if has.get(grant) and not option:
            change = f"REVOKE GRANT OPTION FOR {on} FROM {grant.grantee} CASCADE"
        else:
            change = f"GRANT {on} TO {grant.grantee}{' WITH GRANT OPTION' if option else ''}"
        statements.append(_by(grant.grantor, change))
    return statements


def _in_order(grants: Iterable[Grant]) -> list[Grant]:
    """Return them so that whoever grants has been granted the option before."""
    left, ordered = list(grants), list[Grant]()
    while left:
        due = {(grant.grantee, grant.privilege) for grant in left}
        ready = [grant for grant in left if (grant.grantor, grant.privilege) not in due] or left
        ordered += ready
        left = [grant for grant in left if grant not in ready]
    return ordered


def _by(grantor: str | None, statement: str) -> str:
    if grantor is None:
        return statement
    body = (
        "DECLARE\n    role pg_catalog.text := pg_catalog.current_setting('role');\nBEGIN\n"
        f"    SET LOCAL ROLE {grantor};\n    {statement};\n"
        "    PERFORM pg_catalog.set_config('role', role, true);\nEND"
    )
    return f"DO {literal(body)}"
