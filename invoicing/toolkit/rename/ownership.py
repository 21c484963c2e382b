"""Whose the rename's own objects are: the table's owner's, so that each of its members may go on.

A session gives what it has made to the owner as far as it may: it has to be a member. Where the
schema is of another table's owner already, it stays so, and this one is granted what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.connection.pool import write
from invoicing.toolkit.rename.errors import RenameFailedError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, own_name, quote
from invoicing.toolkit.rename.retype.sides import FUNCTIONS

if TYPE_CHECKING:
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names

_WRITE = "SELECT, INSERT, UPDATE, DELETE"
# The schema first: who gets a function has to be able to create it there. What a killed expand has
# left, and no trigger uses yet, is made again by whoever owns the schema.
_HAND_OVER = """DECLARE
    path text := pg_catalog.current_setting('search_path');
    wanted oid; role text; namespace oid; shared boolean; begun boolean; change text;
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT r.oid, r.rolname INTO wanted, role FROM pg_class AS c JOIN pg_roles AS r
        ON r.oid = c.relowner WHERE c.oid = to_regclass({relation}) AND pg_has_role(r.oid, CASE
            WHEN current_setting('server_version_num')::int < 160000 THEN 'MEMBER' ELSE 'SET' END);
    SELECT n.oid INTO namespace FROM pg_namespace AS n WHERE n.nspname = {state};
    IF wanted IS NOT NULL AND to_regclass({renames}) IS NOT NULL THEN
        EXECUTE {of_others} INTO shared USING wanted;
        EXECUTE {of_this} INTO begun;
    ELSE
        namespace := NULL;
    END IF;
    FOR change IN
        SELECT CASE WHEN shared OR NOT has_database_privilege(current_database(), 'CREATE')
            THEN format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', n.nspname, role)
            ELSE format('ALTER SCHEMA %I OWNER TO %I', n.nspname, role) END
        FROM pg_namespace AS n WHERE n.oid = namespace AND n.nspowner <> wanted
            AND pg_has_role(n.nspowner, 'USAGE') AND NOT (has_schema_privilege(wanted, n.oid,
            'CREATE') AND (shared OR NOT has_database_privilege(current_database(), 'CREATE')))
        UNION ALL
        SELECT format(CASE WHEN shared THEN 'GRANT {write} ON %I.%I TO %I'
            ELSE 'ALTER TABLE %I.%I OWNER TO %I' END, {state}, c.relname, role)
        FROM pg_class AS c WHERE c.relnamespace = namespace AND c.relowner <> wanted
            AND c.relname IN ('rename', 'range', 'run') AND pg_has_role(c.relowner, 'USAGE')
            AND NOT (shared AND has_table_privilege(wanted, c.oid, 'INSERT'))
        UNION ALL
        SELECT format(CASE WHEN pg_has_role(o.owner, 'USAGE')
                THEN 'ALTER %1$s %2$I.%3$s OWNER TO %4$I'
            ELSE 'DROP %1$s %2$I.%3$s' END, o.kind, {state}, o.name, role)
        FROM (SELECT 'SEQUENCE' AS kind, quote_ident(c.relname) AS name, c.relowner AS owner
            FROM pg_class AS c WHERE c.relnamespace = namespace AND c.relname = {sequence}
            UNION ALL SELECT 'FUNCTION', format('%I(%s)', p.proname,
                pg_get_function_identity_arguments(p.oid)), p.proowner
            FROM pg_proc AS p WHERE p.pronamespace = namespace AND p.proname = ANY ({functions})
        ) AS o WHERE o.owner <> wanted AND (pg_has_role(o.owner, 'USAGE')
            OR begun AND (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace
                WHERE pg_namespace.oid = namespace))
    LOOP
        BEGIN
            PERFORM set_config('lock_timeout', '1s', true);
            EXECUTE change;
        EXCEPTION WHEN insufficient_privilege OR lock_not_available OR dependent_objects_still_exist
        THEN NULL;  -- It stays as it is: `denied` says whether that is too little.
        END;
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
"""
_DENIED = """
SELECT quote_ident(pg_get_userbyid(n.nspowner)) AS owner, quote_ident(current_user) AS account,
    quote_ident(pg_get_userbyid(t.relowner)) AS of_table,
    pg_has_role(t.relowner, 'USAGE') AS member,
    NOT (has_schema_privilege(n.oid, 'USAGE') AND has_schema_privilege(n.oid, 'CREATE'))
        OR EXISTS (SELECT FROM pg_class AS c
            CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE']) AS w (what)
            WHERE c.relnamespace = n.oid AND c.relname IN ('rename', 'range', 'run')
            AND NOT has_table_privilege(c.oid, w.what)) AS read_only,
    ARRAY(SELECT DISTINCT quote_ident(pg_get_userbyid(o.owner)) FROM (
        SELECT p.proowner FROM pg_proc AS p
            WHERE p.pronamespace = n.oid AND p.proname = ANY ($3::text[])
        UNION SELECT c.relowner FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = $4
    ) AS o (owner) WHERE NOT pg_has_role(o.owner, 'USAGE')) AS owners
FROM pg_namespace AS n JOIN pg_class AS t ON t.oid = $2 WHERE n.nspname = $1
"""


def hand_over(names: Names) -> str:
    """Return the block that gives the table's owner what the session may give it."""
    renames, owned = f"{quote(STATE)}.rename", "WHERE c.relowner <> $1"
    table = "to_regclass(format('%I.%I', r.schema_name, r.table_name))"
    others = (
        f"SELECT EXISTS (SELECT FROM {renames} AS r JOIN pg_class AS c ON c.oid = {table} {owned})"
    )
    begun = f"r.key = {literal(names.key)} AND r.phase = {literal(Phase.EXPANDING)}"
    body = _HAND_OVER.format(
        relation=literal(names.relation),
        state=literal(STATE),
        renames=literal(renames),
        of_others=literal(others),
        of_this=literal(f"SELECT EXISTS (SELECT FROM {renames} AS r WHERE {begun})"),
        write=_WRITE,
        sequence=literal(_counter(names)),
        functions=f"ARRAY[{', '.join(map(literal, _functions(names)))}]",
    )
    return f"DO {literal(body)}"


async def denied(context: RenameContext) -> RenameFailedError | None:
    """Return what says that this account may not write what a rename writes; None where it may."""
    names = context.names
    row = await context.connection.fetchrow(
        _DENIED, STATE, context.table.oid, _functions(names), _counter(names)
    )
    if row is None or not (row["read_only"] or row["owners"]):
        return None
    owner, account, grantee = row["owner"], row["account"], row["of_table"]
    grants = [] if row["member"] else [f"GRANT {grantee} TO {account}"]
    # To the account, which then hands it over: a member of the table's owner cannot be its group.
    grants += [f"GRANT {role} TO {account}" for role in row["owners"] if role != grantee]
    if not grants or (row["read_only"] and owner not in {grantee, *row["owners"]}):
        grants += [
            f"GRANT USAGE, CREATE ON SCHEMA {STATE} TO {grantee}",
            f"GRANT {_WRITE} ON ALL TABLES IN SCHEMA {STATE} TO {grantee}",
        ]
    others = [role for role in row["owners"] if role != owner]
    fact = f"{account} may not write to the schema {STATE}, which belongs to {owner}"
    fact += f" (and what this rename made there to {', '.join(others)})" if others else ""
    advice = f"Run, as {owner} or a superuser: {'; '.join(grants)}. Then run the same command again"
    return RenameFailedError(str(context.target), "", "42501", fact, advice)


async def refuse_denied(context: RenameContext) -> None:
    """Take over what the session may, and refuse before anything is done where that is too little.

    Raises:
        RenameFailedError: the schema, or what is in it, is another role's.
    """
    await write(context.connection, hand_over(context.names))
    if (error := await denied(context)) is not None:
        raise error


def _counter(names: Names) -> str:
    return f"{names.key}_old_writes"


def _functions(names: Names) -> list[str]:
    made = [own_name(name) for name in (*names.functions, names.default_trigger)]
    return made + [f"{names.key}_{name}" for name in FUNCTIONS]
