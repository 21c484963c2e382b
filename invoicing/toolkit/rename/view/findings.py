"""What a view means for the table at hand: what follows it, and what a view cannot do.

While the view stands, PostgreSQL itself keeps everything that depends on the table or the column,
for neither changes but in name. What breaks is what names the table as a table, its row type, or
the column in text that the catalog does not look into. Measured on PostgreSQL 15 and 18.

What it does not detect: statements of clients, where pg_stat_statements is not kept or not for us
to read, and whatever tools outside the database do to a table of that name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.acceptance import VIEW, accepted
from invoicing.toolkit.rename.dependents import judged
from invoicing.toolkit.rename.model import PlanFinding, refused
from invoicing.toolkit.rename.names import quote
from invoicing.toolkit.rename.preflight.checks import preflight
from invoicing.toolkit.rename.renamings import find_renamings, why_taken
from invoicing.toolkit.rename.view.default import asking_for_default
from invoicing.toolkit.rename.view.gate import changed
from invoicing.toolkit.rename.view.partitions import partition_findings
from invoicing.toolkit.rename.view.shape import read_shape
from invoicing.toolkit.rename.view.statements import MERGE, statements_no_view_takes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.dependents.kind import Dependent
    from invoicing.toolkit.rename.model import Target
    from invoicing.toolkit.rename.renamings import Renaming
    from invoicing.toolkit.rename.strategy import RenameStrategy
    from invoicing.toolkit.rename.table import Column, ResolvedTable
    from invoicing.toolkit.rename.view.shape import Shape

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
    coalesce((SELECT y.typdefault IS NOT NULL FROM pg_attribute AS a
        JOIN pg_type AS y ON y.oid = a.atttypid WHERE a.attrelid = c.oid AND a.attname = $2
        AND NOT a.attisdropped), false) AS domain_default,
    ARRAY(SELECT d.objid::regclass::text FROM pg_depend AS d
        JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i') ORDER BY 1) AS sequences,
    ARRAY(SELECT a.attname::text FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND NOT a.attisdropped
            AND (a.attgenerated <> '' OR a.attidentity <> '') ORDER BY a.attnum) AS made_by_server
FROM pg_class AS c WHERE c.oid = $1
"""


class ViewFindings(NamedTuple):
    """What was found, and what the statements are made from."""

    findings: list[PlanFinding]
    shape: Shape
    renamings: list[Renaming]


async def find_for_view(
    context: RenameContext, strategy: RenameStrategy, dependents: Sequence[Dependent]
) -> ViewFindings:
    """Look at the catalog for everything that the view would keep, or break."""
    connection, table, names = context.connection, context.table, context.names
    column, name = context.column(), context.column_name
    facts = await connection.fetchrow(_FACTS, table.oid, name)
    shape = await read_shape(connection, table.oid, names)
    renamings = await find_renamings(connection, table.oid, names, name)
    findings = [
        *_general(await preflight(context)),
        *_table(facts, table, context.version),
        *_column(facts, column, context.target),
        *await _names(connection, table, shape, renamings),
        *await judged(context, strategy, dependents),
        *await statements_no_view_takes(context),
        *(await partition_findings(context) if facts["partitioned"] else []),
        *await asking_for_default(context),
        *await changed(context),
    ]
    accept = context.options.accept
    return ViewFindings([accepted(finding, accept, VIEW) for finding in findings], shape, renamings)


def always(of: ResolvedTable, version: int) -> list[str]:
    """Return what no view can do, whatever the table."""
    table = quote(of.name)
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


def _general(findings: list[PlanFinding]) -> list[PlanFinding]:
    logical = (
        "sends changes under the table's own name, which would be another. Teach its consumer "
        "both names, then: --accept logical-slot"
    )
    return [
        replace(finding, verdict="refused", message=logical)
        if finding.slug == "logical-slot"
        else finding
        for finding in findings
    ]


def _table(facts: asyncpg.Record, of: ResolvedTable, version: int) -> list[PlanFinding]:
    table = of.sql
    invoker = facts["row_security"] and version >= _INVOKER
    checks = [
        (
            facts["row_security"] and version < _INVOKER,
            "row-security",
            f"before PostgreSQL {_INVOKER} a view has its owner's row security, not the client's",
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
                "whose privileges clients would use the view. Run: GRANT ALL ON "
                f"{table} TO {facts['owner']}"
            ),
        ),
        (
            not facts["owner_creates"],
            "privilege",
            (
                f"its owner {facts['owner']} may not own a view there. Run: GRANT CREATE ON SCHEMA "
                f"{quote(of.schema)} TO {facts['owner']}"
            ),
        ),
    ]
    found = [refused(slug, table, said) for wrong, slug, said in checks if wrong]
    if facts["row_security"]:
        found.append(
            PlanFinding(
                "row-security", table, "carried", "the view applies the client's, not its owner's"
            )
        )
    if facts["sequences"]:
        said = "pg_get_serial_sequence does not find it by the table's name while the view stands"
        found += [PlanFinding("sequence", fact, "noted", said) for fact in facts["sequences"]]
    # An UPDATE asks a view for its own default, and none can be given that means the column's.
    said = "UPDATE ... SET it = DEFAULT fails while the view stands; an INSERT does not"
    for name in facts["made_by_server"]:
        found.append(PlanFinding("server-value", quote(name), "noted", said))
    return found


def _column(facts: asyncpg.Record, column: Column, target: Target) -> list[PlanFinding]:
    name = quote(target.old)
    if facts["domain_default"]:
        message = (
            f"its type {column.type} has a default, which a view would write by both names at "
            "once. Give the column the default itself, and drop the type's"
        )
        return [refused("domain-default", name, message)]
    if column.default is None:
        return []
    if column.not_null:
        # What the trigger does not recognise is an error, no other value.
        message = "UPDATE ... SET it = DEFAULT is given it by a trigger while the view stands"
        return [PlanFinding("null-default", name, "carried", message)]
    message = (
        "UPDATE ... SET it = DEFAULT is recognised by its text while the view stands, and in a "
        "spelling that is not recognised would write NULL (an INSERT has the default). If no code "
        "does that, or as usual: --accept null-default"
    )
    return [refused("null-default", name, message)]


async def _names(
    connection: Connection, table: ResolvedTable, shape: Shape, renamings: list[Renaming]
) -> list[PlanFinding]:
    found = []
    if shape.base is None:
        message = (
            "its name behind the view is taken, and so is the one with a digest. Rename what has "
            "them"
        )
        found.append(refused("name-taken", table.sql, message))
    for renaming in renamings:
        said = f"is renamed to {quote(renaming.new_name)} by the contract"
        subject = f"{quote(renaming.name)} ON {renaming.table}"
        taken = await why_taken(connection, renaming)
        if taken is not None:
            found.append(refused("name-taken", subject, taken))
        else:
            found.append(PlanFinding(renaming.kind.lower(), subject, "carried", said))
    return found
