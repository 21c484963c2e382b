"""The statements of the view strategy: each list runs in one transaction, under one short lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.rename.grants import Grant, grant_changes
from invoicing.toolkit.rename.names import MARK, STATE, former, literal, qualified, quote
from invoicing.toolkit.rename.renamings import rename_statement
from invoicing.toolkit.rename.view import default
from invoicing.toolkit.rename.view.shape import AclEntry, seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoicing.toolkit.rename.names import Names
    from invoicing.toolkit.rename.renamings import Renaming
    from invoicing.toolkit.rename.view.shape import Shape

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
    return [
        f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE",
        unchanged(shape.seen, [shape.oid]),
        f"ALTER TABLE {names.relation} RENAME COLUMN {quote(names.old)} TO {quote(names.new)}",
        f"ALTER TABLE {names.relation} RENAME TO {quote(str(shape.base))}",
        *own_triggers(names, shape),
        *view_statements(names, shape),
    ]


def create_view(names: Names, shape: Shape, verb: str = "CREATE") -> str:
    """Return the statement that makes the view."""
    # Through a view of its owner's, row security would be the owner's, not the client's.
    options = " WITH (security_invoker = true)" if shape.row_security else ""
    columns = ", ".join(column for column, _ in shown_columns(names, shape))
    return (
        f"{verb} VIEW {names.relation}{options} AS SELECT {columns} FROM {base_name(names, shape)}"
    )


def note_view(names: Names) -> str:
    """Return the statement that notes the view by its oid, and its two columns by number."""
    relation = f"{literal(names.relation)}::pg_catalog.regclass"
    columns = ", ".join(
        f"'{key}', (SELECT a.attnum FROM pg_catalog.pg_attribute AS a WHERE a.attrelid ="
        f" {relation} AND a.attname = {literal(name)})"
        for key, name in (("view_old", names.old), ("view_new", names.new))
    )
    return (
        f"UPDATE {MARK} {quote(STATE)}.rename SET definition = definition ||"
        f" pg_catalog.jsonb_build_object('view', {relation}::pg_catalog.oid::bigint, {columns})"
        f" WHERE key = {literal(names.key)}"
    )


def view_statements(names: Names, shape: Shape) -> list[str]:
    """Return what makes the view: with the table's owner, privileges, defaults and comments."""
    view = names.relation
    statements = [create_view(names, shape)]
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


def has_default(names: Names, shape: Shape) -> bool:
    """Tell whether the column has a default that an UPDATE may ask for."""
    both = {names.old, names.new}
    return any(column.name in both and column.default is not None for column in shape.columns)


def shown_columns(names: Names, shape: Shape) -> list[tuple[str, str]]:
    """Return the view's columns as SQL and by name: the new one last.

    The old name is where it was, for code that counts.
    """
    new = (quote(names.new), names.new)
    both = {names.old, names.new}
    shown = [
        (f"{new[0]} AS {quote(names.old)}", names.old)
        if column.name in both
        else (quote(column.name), column.name)
        for column in shape.columns
    ]
    return [*shown, new]


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
    base = base_name(names, shape)
    return [
        *drop_triggers(names, base),
        f"DROP VIEW IF EXISTS {names.relation}",
        f"ALTER TABLE {base} RENAME TO {quote(names.table)}",
    ]


def lock_statements(names: Names, shape: Shape, owner: str | None) -> list[str]:
    """Return the locks of what takes the view away, one for each statement.

    The view comes first, and the table behind it with it: the order in which clients lock them.
    `owner` is the view's, and None where there is no view: LOCK TABLE locks what is behind a view
    with its owner's privileges, and another owner than the table's may have none.
    """
    base = f"LOCK TABLE {base_name(names, shape)} IN ACCESS EXCLUSIVE MODE"
    if owner is None:
        return [base]
    if owner == shape.owner:
        return [f"LOCK TABLE {names.relation} IN ACCESS EXCLUSIVE MODE"]
    # It changes nothing, and locks the view alone.
    return [f"ALTER VIEW {names.relation} OWNER TO {owner}", base]


def contract_statements(
    names: Names, shape: Shape, renamings: Iterable[Renaming], changes: Sequence[str] = ()
) -> list[str]:
    """Return what follows the lock in the contract."""
    renames = [rename_statement(renaming) for renaming in renamings]
    return [*changes, *back_statements(names, shape), *renames]


def rollback_statements(names: Names, shape: Shape, changes: Sequence[str] = ()) -> list[str]:
    """Return what follows the lock in the rollback: the column gets its old name again."""
    rename = f"ALTER TABLE {names.relation} RENAME COLUMN {quote(names.new)} TO {quote(names.old)}"
    # Where the column was dropped by other means, its table is there still.
    there = any(column.name in {names.old, names.new} for column in shape.columns)
    return [*changes, *back_statements(names, shape), *([rename] if there else [])]


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


def own_triggers(names: Names, shape: Shape) -> list[str]:
    """Return what puts the rename's triggers on the table behind the view."""
    base = base_name(names, shape)
    more = default.default_trigger(names, base) if has_default(names, shape) else []
    return [*count_trigger(names, base), *more]


def drop_triggers(names: Names, base: str) -> list[str]:
    """Return what takes them off, also one of a former version's."""
    called = (names.count_trigger, former(names.count_trigger), names.default_trigger)
    return [f"DROP TRIGGER IF EXISTS {quote(trigger)} ON {base}" for trigger in called]


def count_functions(names: Names, word: str) -> list[str]:
    """Return what makes the counter, and what looks for defaults; it locks nothing.

    No trigger can tell by which name a column was written through a view, for it is the table's
    one column that is written. So it looks for the old name in the text of the statement: of what
    a function runs, that is in its context; of EXECUTE, in what was prepared.
    """
    return [
        *names.create_counter(),
        default.default_function(names),
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
