"""The statements of the view strategy: each list runs in one transaction, under one short lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.grants import Grant, grant_changes
from invoicing.toolkit.rename.names import MARK, literal, qualified, quote
from invoicing.toolkit.rename.view.shape import AclEntry, rename_statement, seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.view.shape import Renaming, Shape

# Not one of PostgreSQL's own codes, so that nothing else can mean it.
CHANGED = "RN002"
# A column's name stands near the beginning of a statement; its values may be megabytes.
_LOOKED_AT = 100_000


def base_name(names: Names, shape: Shape) -> str:
    """Return the table while the view stands in its place, qualified and quoted."""
    return qualified(names.schema, shape.base or names.table)


def unchanged(number: int, relations: Sequence[int]) -> str:
    """Return what ends the transaction if the catalog is not as it was when it was read."""
    message = "another session changed the table at the same moment"
    body = (
        f"BEGIN IF ({seen(relations).strip()}) IS DISTINCT FROM {number} THEN RAISE EXCEPTION"
        f" USING ERRCODE = '{CHANGED}', MESSAGE = '{message}'; END IF; END"
    )
    return f"DO {literal(body)}"


def swap_statements(names: Names, shape: Shape) -> list[str]:
    """Return what moves the table aside and puts the view in its place."""
    base = base_name(names, shape)
    return [
        f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE",
        unchanged(shape.seen, [shape.oid]),
        f"ALTER TABLE {names.relation} RENAME COLUMN {quote(names.old)} TO {quote(names.new)}",
        f"ALTER TABLE {names.relation} RENAME TO {quote(str(shape.base))}",
        *count_trigger(names, base),
        *view_statements(names, shape),
    ]


def view_statements(names: Names, shape: Shape) -> list[str]:
    """Return what makes the view: with the table's owner, privileges, defaults and comments."""
    view = names.relation
    # Through a view of its owner's, row security would be the owner's, not the client's.
    options = " WITH (security_invoker = true)" if shape.row_security else ""
    statements = [
        (
            f"CREATE VIEW {view}{options} AS SELECT {_shown(names, shape)}"
            f" FROM {base_name(names, shape)}"
        )
    ]
    if not shape.ours:
        statements.append(f"ALTER VIEW {view} OWNER TO {shape.owner}")
    others = [grantee for grantee in shape.by_default if grantee != shape.owner]
    statements += [f"REVOKE ALL ON {view} FROM {other}" for other in others]
    if not shape.untouched or any(grant.column for grant in shape.grants):
        statements += [f"REVOKE ALL ON {view} FROM {shape.owner}"]
        statements += grant_statements(view, _for_view(names, shape.grants))
    # An INSERT that leaves a column out has the table's default, but SET ... = DEFAULT writes NULL
    # where the view has none. A column by two names can have none: both would be written.
    statements += [
        f"ALTER VIEW {view} ALTER COLUMN {quote(column.name)} SET DEFAULT {column.default}"
        for column in shape.columns
        if column.default is not None and column.name not in {names.old, names.new}
    ]
    return statements + _comments(names, shape)


def _shown(names: Names, shape: Shape) -> str:
    """Return the columns: the old name where it was, for code that counts; the new one last."""
    old, new = quote(names.old), quote(names.new)
    both = {names.old, names.new}
    shown = [
        f"{new} AS {old}" if column.name in both else quote(column.name) for column in shape.columns
    ]
    return ", ".join([*shown, new])


def _for_view(names: Names, grants: Iterable[AclEntry]) -> list[AclEntry]:
    """Return the grants with those on the column twice: one for each of its names."""
    found = []
    for grant in grants:
        twice = grant.column in {names.old, names.new}
        found += [
            grant._replace(column=it) for it in ((names.old, names.new) if twice else [grant[0]])
        ]
    return found


def _comments(names: Names, shape: Shape) -> list[str]:
    view = names.relation
    said = [] if shape.comment is None else [f"COMMENT ON VIEW {view} IS {literal(shape.comment)}"]
    for column in shape.columns:
        if column.comment is not None:
            both = {names.old, names.new}
            called = sorted(both) if column.name in both else [column.name]
            said += [
                f"COMMENT ON COLUMN {view}.{quote(it)} IS {literal(column.comment)}"
                for it in called
            ]
    return said


def grant_statements(relation: str, grants: Iterable[AclEntry]) -> list[str]:
    """Return one GRANT for each account and what it may grant to others, then what it granted."""
    grouped: dict[tuple[str, bool], list[str]] = {}
    by_others: dict[Grant, bool | None] = {}
    for grant in grants:
        if grant.grantor is None:
            grouped.setdefault((grant.grantee, grant.grantable), []).append(_privilege(grant))
        else:
            by_others[Grant(grant.grantor, grant.grantee, _privilege(grant))] = grant.grantable
    return [
        f"GRANT {', '.join(privileges)} ON {relation} TO {grantee}"
        + (" WITH GRANT OPTION" if grantable else "")
        for (grantee, grantable), privileges in grouped.items()
    ] + grant_changes(relation, by_others, {})


def _privilege(grant: AclEntry) -> str:
    return f"{grant.privilege} ({quote(grant.column)})" if grant.column else grant.privilege


def back_statements(names: Names, shape: Shape) -> list[str]:
    """Return what takes the view away, and gives the table its own name again."""
    return [
        f"DROP TRIGGER IF EXISTS {quote(names.count_trigger)} ON {base_name(names, shape)}",
        f"DROP VIEW IF EXISTS {names.relation}",
        f"ALTER TABLE {base_name(names, shape)} RENAME TO {quote(names.table)}",
    ]


def lock_statement(names: Names, shape: Shape) -> str:
    """Return the lock of what takes the view away.

    The view comes first, and the table behind it with it: the order in which clients lock them.
    """
    locked = names.relation if shape.view is not None else base_name(names, shape)
    return f"LOCK TABLE {locked} IN ACCESS EXCLUSIVE MODE"


def contract_statements(
    names: Names, shape: Shape, renamings: Iterable[Renaming], changes: Sequence[str] = ()
) -> list[str]:
    """Return what follows the lock in the contract."""
    renames = [rename_statement(renaming) for renaming in renamings]
    return [*changes, *back_statements(names, shape), *renames]


def rollback_statements(names: Names, shape: Shape, changes: Sequence[str] = ()) -> list[str]:
    """Return what follows the lock in the rollback: the column gets its old name again."""
    rename = f"ALTER TABLE {names.relation} RENAME COLUMN {quote(names.new)} TO {quote(names.old)}"
    return [*changes, *back_statements(names, shape), rename]


def count_trigger(names: Names, base: str) -> list[str]:
    """Return what puts the counter of old-style writes on the table."""
    trigger = quote(names.count_trigger)
    return [
        (
            f"CREATE OR REPLACE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {base}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {names.function(names.count_trigger)}()"
        ),
        f"ALTER TABLE {base} ENABLE ALWAYS TRIGGER {trigger}",
    ]


def count_functions(names: Names, word: str) -> list[str]:
    """Return what makes the counter; it locks nothing.

    No trigger can tell by which name a column was written through a view, for it is the table's
    one column that is written. So it looks for the old name in the text of the statement: of what
    a function runs, that is in its context; of EXECUTE, in what was prepared.
    """
    return [
        *names.create_counter(),
        names.create_function(
            names.count_trigger,
            "DECLARE\n    stack pg_catalog.text;\n    sent pg_catalog.text;\nBEGIN\n"
            "    GET DIAGNOSTICS stack = PG_CONTEXT;\n"
            "    sent := pg_catalog.left(coalesce(pg_catalog.substring(stack, E'\\n.*'),"
            f" pg_catalog.current_query()), {_LOOKED_AT});\n"
            "    IF pg_catalog.strpos(sent, " + literal(MARK) + ") OPERATOR(pg_catalog.=) 0 AND ("
            f"sent OPERATOR(pg_catalog.~*) {literal(word)}\n"
            "        OR sent OPERATOR(pg_catalog.~*) '^[[:space:]]*execute[[:space:]]' AND EXISTS ("
            "SELECT FROM pg_catalog.pg_prepared_statements AS p\n"
            f"            WHERE p.statement OPERATOR(pg_catalog.~*) {literal(word)})) THEN\n"
            f"        PERFORM pg_catalog.nextval({literal(names.sequence)});\n"
            "    END IF;\n    RETURN NULL;\nEND\n",
        ),
    ]
