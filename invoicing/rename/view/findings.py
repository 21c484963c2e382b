"""What the instant way means for the table at hand: what follows it, and what a view cannot do.

While the view stands, PostgreSQL itself carries everything that hangs on the table or the column,
for neither changes but in name. What breaks is what names the table as a table, its row type, or
the column in text that the catalog does not look into. Measured on PostgreSQL 15 and 18.

What it does not detect: statements of clients, where pg_stat_statements is not kept or not for us
to read, and whatever tools outside the database do to a table of that name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from invoicing.rename.dependents import find_dependents, word
from invoicing.rename.model import Finding
from invoicing.rename.names import qualified, quote
from invoicing.rename.preflight import preflight
from invoicing.rename.view.shape import find_renamings, read_shape
from invoicing.rename.view.statements import MERGE, statements_no_view_takes, uses_of_row_type

if TYPE_CHECKING:
    import asyncpg

    from invoicing.rename.column import Column, Relation
    from invoicing.rename.dependents import Dependent
    from invoicing.rename.model import Options, Target, Verdict
    from invoicing.rename.session import Connection
    from invoicing.rename.view.shape import Renaming, Shape

# What the general preflight finds that matters here too; the rest is about a second column.
_GENERAL = frozenset(
    {"privilege", "server-version", "replica-server", "no-table", "partition", "typed-table"}
    | {"temporary", "name-taken", "connections", "other-rename", "inherited", "long-transaction"}
    | {"monitoring", "replica", "slot", "logical-slot", "row-security"}
)
# What only the operator can know to be harmless; all other refusals stand.
ACCEPTABLE = frozenset(
    {"inheritance", "logical-slot", "null-default", "partitioned", "row-type", "table-name"}
    | {"view-statement"}
)
# The first version with views that ask for the client's own rights.
_INVOKER = 15
_FACTS = """
SELECT c.relrowsecurity AS row_security, c.relkind = 'p' AS partitioned,
    quote_ident(pg_get_userbyid(c.relowner)) AS owner,
    has_schema_privilege(c.relowner, c.relnamespace, 'CREATE')
        OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS owner_creates,
    ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
        WHERE NOT has_table_privilege(c.relowner, c.oid, p)) AS owner_lacks,
    ARRAY(SELECT DISTINCT CASE WHEN x.grantee = 0 THEN 'PUBLIC'
            ELSE quote_ident(pg_get_userbyid(x.grantee)) END
        FROM pg_attribute AS a, aclexplode(a.attacl) AS x
        WHERE a.attrelid = c.oid AND x.privilege_type = 'SELECT'
            AND (x.grantee = 0 OR NOT has_table_privilege(x.grantee, c.oid, 'SELECT'))
        ORDER BY 1) AS column_readers,
    coalesce((SELECT y.typtype = 'd' AND y.typdefault IS NOT NULL FROM pg_attribute AS a
        JOIN pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attname = $2
        AND NOT a.attisdropped), false) AS domain_default,
    ARRAY(SELECT d.objid::regclass::text FROM pg_depend AS d
        JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i') ORDER BY 1) AS sequences,
    ARRAY(SELECT quote_ident(rulename) FROM pg_rewrite WHERE ev_class = c.oid ORDER BY 1) AS rules,
    ARRAY(SELECT DISTINCT quote_ident(s.subname) FROM pg_subscription_rel AS r
        JOIN pg_subscription AS s ON s.oid = r.srsubid WHERE r.srrelid = c.oid) AS subscriptions
FROM pg_class AS c WHERE c.oid = $1
"""
# Bodies and arguments are kept as text: the old name in them is not renamed with the column.
_TRIGGERS = """
SELECT DISTINCT quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass AS subject,
    p.prosrc ~ $2 OR encode(t.tgargs, 'escape') ~ $3 AS names_column,
    p.prosrc ~* 'TG_(TABLE_NAME|RELNAME|RELID)' AS names_table
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgrelid IN (SELECT $1::oid UNION SELECT relid FROM pg_partition_tree($1::oid::regclass))
    AND NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname !~ '^zz_rename_'
ORDER BY 1
"""
_ATOMIC = "SELECT oid FROM pg_proc WHERE oid = ANY ($1::oid[]) AND prosqlbody IS NOT NULL"


class Found(NamedTuple):
    """What was found, and what the statements are made from."""

    findings: list[Finding]
    shape: Shape
    renamings: list[Renaming]


async def find_for_view(
    connection: Connection, relation: Relation, column: Column, target: Target, options: Options
) -> Found:
    """Look at the catalog for everything that the view would carry, or break."""
    names = relation.names(target)
    name = target.new if relation.base else target.old
    facts = await connection.fetchrow(_FACTS, relation.oid, name)
    shape = await read_shape(connection, relation.oid, names)
    renamings = await find_renamings(connection, relation.oid, names, name)
    findings = [
        *_general(await preflight(connection, relation, column, target, options)),
        *_table(facts, relation, connection.get_server_version().major),
        *_column(facts, column, target),
        *await _names(connection, relation, shape, renamings),
        *await _triggers(connection, relation, target),
        *await _hanging(connection, relation, target),
        *await uses_of_row_type(connection, relation),
        *await statements_no_view_takes(connection, relation),
    ]
    return Found([_accepted(one, options) for one in findings], shape, renamings)


def always(relation: Relation, version: int) -> list[str]:
    """Return what no view can do, whatever the table."""
    table = quote(relation.table)
    merge = [] if version >= MERGE else [f"MERGE INTO {table}"]
    return [
        f"COPY {table}, TRUNCATE {table}, pg_dump -t {table}, a new foreign key to it",
        f"ALTER TABLE, CREATE INDEX, CREATE TRIGGER on {table}; VACUUM and ANALYZE pass it over",
        f"ON CONFLICT ON CONSTRAINT, TABLESAMPLE, WHERE CURRENT OF, ctid and xmin of {table}",
        f"SELECT other columns of {table} with GROUP BY its primary key alone",
        "one statement that sets the column by both names",
        f"tools that look for a table called {table}, and read its rows by SELECT *",
        *merge,
    ]


def _general(findings: list[Finding]) -> list[Finding]:
    found = [one for one in findings if one.slug in _GENERAL and one.subject != "temporary tables"]
    logical = (
        "sends changes under the table's own name, which would be another. Let its consumer know "
        "both names, then: --accept logical-slot"
    )
    return [
        _refused(one.slug, one.subject, logical) if one.slug == "logical-slot" else one
        for one in found
    ]


def _table(facts: asyncpg.Record, relation: Relation, version: int) -> list[Finding]:
    table = relation.sql
    invoker = facts["row_security"] and version >= _INVOKER
    checks = [
        (
            facts["row_security"] and version < _INVOKER,
            "row-security",
            f"before PostgreSQL {_INVOKER} a view shows its owner's rows to everybody",
        ),
        (
            invoker and facts["column_readers"],
            "column-privileges",
            (
                f"{', '.join(facts['column_readers'])} may read only some columns, and with row "
                "security a view can be read only by who may read all of them"
            ),
        ),
        (
            not invoker and facts["owner_lacks"],
            "owner-privileges",
            (
                f"its owner {facts['owner']} was denied {', '.join(facts['owner_lacks'])}, with "
                "whose rights everybody would use the view. Run: GRANT ALL ON "
                f"{table} TO {facts['owner']}"
            ),
        ),
        (
            not facts["owner_creates"],
            "privilege",
            (
                f"its owner {facts['owner']} may not own a view there. Run: GRANT CREATE ON SCHEMA "
                f"{quote(relation.schema)} TO {facts['owner']}"
            ),
        ),
        (
            facts["partitioned"],
            "partitioned",
            (
                "no partition can be added or taken off by its name while the view stands. Keep "
                "whatever does that still, then: --accept partitioned"
            ),
        ),
    ]
    found = [_refused(slug, table, said) for wrong, slug, said in checks if wrong]
    if facts["row_security"]:
        found.append(Finding("row-security", table, "carried", "the view asks for the client's"))
    if facts["sequences"]:
        said = "pg_get_serial_sequence does not find it by the table's name while the view stands"
        found += [Finding("sequence", one, "noted", said) for one in facts["sequences"]]
    rule = "rules and views do not mix well. Drop it first"
    found += [_refused("rule", f"{one} ON {table}", rule) for one in facts["rules"]]
    fed = "writes the table by its name, and stops at a view"
    return found + [_refused("subscription", one, fed) for one in facts["subscriptions"]]


def _column(facts: asyncpg.Record, column: Column, target: Target) -> list[Finding]:
    name = quote(target.old)
    if facts["domain_default"]:
        message = (
            f"its domain {column.type} has a default, which a view would write by both names at "
            "once. Give the column the default itself, and drop the domain's"
        )
        return [_refused("domain-default", name, message)]
    if column.default is None:
        return []
    if column.not_null:
        message = "UPDATE ... SET it = DEFAULT fails while the view stands; an INSERT does not"
        return [Finding("null-default", name, "noted", message)]
    message = (
        "UPDATE ... SET it = DEFAULT would write NULL while the view stands (an INSERT has the "
        "default). Know that nobody does, then: --accept null-default"
    )
    return [_refused("null-default", name, message)]


async def _names(
    connection: Connection, relation: Relation, shape: Shape, renamings: list[Renaming]
) -> list[Finding]:
    found = []
    if shape.base is None:
        message = "its second name is taken, and that with a digest, too. Rename what has them"
        found.append(_refused("name-taken", relation.sql, message))
    for one in renamings:
        said = f"is called {quote(one.new_name)} from the contract on"
        subject = f"{quote(one.name)} ON {one.table}"
        if await _is_taken(connection, one):
            said = f"is to be called {quote(one.new_name)}, and something else is. Rename that"
            found.append(_refused("name-taken", subject, said))
        else:
            found.append(Finding(one.kind.lower(), subject, "carried", said))
    return found


async def _is_taken(connection: Connection, one: Renaming) -> bool:
    if one.kind == "CONSTRAINT":
        query = "SELECT true FROM pg_constraint WHERE conrelid = $1 AND conname = $2"
        return bool(await connection.fetchval(query, one.relation, one.new_name))
    if one.kind == "STATISTICS":
        query = (
            "SELECT true FROM pg_statistic_ext WHERE stxnamespace = $1::text::regnamespace"
            " AND stxname = $2"
        )
        return bool(await connection.fetchval(query, quote(one.schema), one.new_name))
    return bool(
        await connection.fetchval(
            "SELECT to_regclass($1) IS NOT NULL", qualified(one.schema, one.new_name)
        )
    )


async def _triggers(connection: Connection, relation: Relation, target: Target) -> list[Finding]:
    found = []
    # Arguments are kept with a zero byte behind each, which `encode` shows as \000.
    argument = rf"(^|\\000){re.escape(target.old)}\\000"
    for row in await connection.fetch(_TRIGGERS, relation.oid, word(target.old), argument):
        if row["names_column"]:
            message = (
                f"its function names {quote(target.old)}, which no row has from the first moment "
                "on. Let it read either name: to_jsonb(NEW) ->> ..., then begin"
            )
            found.append(_refused("trigger-function", row["subject"], message))
        if row["names_table"]:
            message = (
                "its function asks for the table's name, and would hear another while the view "
                "stands. Know that it does no harm, then: --accept table-name"
            )
            found.append(_refused("table-name", row["subject"], message))
    return found


async def _hanging(connection: Connection, relation: Relation, target: Target) -> list[Finding]:
    dependents = await find_dependents(connection, relation, target)
    functions = [one.oid for one in dependents if one.kind == "function"]
    atomic = {row[0] for row in await connection.fetch(_ATOMIC, functions)}
    found = []
    for one in dependents:
        kind = "atomic-function" if one.oid in atomic else one.kind
        if kind not in {"trigger-function", "before-trigger-function"}:
            found.append(_judged(one, kind, target))
    return found


def _judged(one: Dependent, kind: str, target: Target) -> Finding:
    verdict, message = _VERDICTS.get(kind, _FOLLOWS)
    said = message.format(old=quote(target.old), new=quote(target.new), subject=one.subject)
    return Finding(one.kind, one.subject, verdict, said)


def _accepted(finding: Finding, options: Options) -> Finding:
    if finding.verdict == "refused" and finding.slug in options.accept & ACCEPTABLE:
        return Finding(finding.slug, finding.subject, "noted", "accepted: " + finding.message)
    return finding


def _refused(slug: str, subject: str, message: str) -> Finding:
    return Finding(slug, subject, "refused", message)


_FOLLOWS: tuple[Verdict, str] = ("carried", "follows the column")
_VERDICTS: dict[str, tuple[Verdict, str]] = {
    "view": ("carried", "follows the table, and goes on to show {old}"),
    "materialized-view": ("carried", "follows the table, and goes on to show {old}"),
    "function": (
        "later",
        (
            "the contract is refused until it does not name {old}; from the expand on it may name "
            "{new}: CREATE OR REPLACE FUNCTION"
        ),
    ),
    "inheritance": (
        "refused",
        (
            "it inherits from the table, and ONLY means nothing to a view: rows of both would be "
            "read and changed. Know that nobody says ONLY, then: --accept inheritance"
        ),
    ),
    "foreign-partition": (
        "refused",
        (
            "it is on another server, whose column has a name of its own: the partition would ask "
            "for {new} there. Set its column_name first"
        ),
    ),
    "publication": (
        "refused",
        "subscribers are told the table's and the column's new names, and stop at what they lack",
    ),
    "publication-columns": ("refused", "subscribers are told the new names, and stop"),
}
