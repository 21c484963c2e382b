"""One kind of thing that names a column or its table: how it is found, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.context import RenameContext
from invoicing.toolkit.rename.dependents.text import Body, Result, SoughtNames, Use, read_body
from invoicing.toolkit.rename.names import OWN_TRIGGERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    import asyncpg

    from invoicing.toolkit.rename.model import StrategyName, Verdict

    # Subject, catalog, oid and detail of each.
    FoundDependents = list[tuple[str, str, int, str]]

# Oldest version that is served at all.
_ANY = 14
# The bits ROW and BEFORE of pg_trigger.tgtype.
_BEFORE_ROW = 3
# The column in every table of the tree: partitions number their columns as they like.
TREE = """
tree AS (
    SELECT t.relid, a.attnum FROM (SELECT $1::oid AS relid UNION
        SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::regclass)) AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.relid AND a.attname = $2
        AND NOT a.attisdropped
), hanging AS (
    SELECT DISTINCT d.classid, d.objid, d.objsubid, tree.relid, tree.attnum
    FROM pg_catalog.pg_depend AS d JOIN tree ON d.refobjid = tree.relid
        AND d.refobjsubid = tree.attnum AND d.refclassid = 'pg_class'::regclass
), row_type AS (
    SELECT y.oid, c.oid AS relid FROM tree JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid
    JOIN pg_catalog.pg_type AS r ON r.oid = c.reltype
    JOIN pg_catalog.pg_type AS y ON y.oid IN (r.oid, r.typarray)
)"""


class Reaction(NamedTuple):
    """What one strategy does with a dependent.

    Attributes:
        verdict: None where there is nothing to say: it follows by itself.
        message: may name {old}, {new}, {subject}, {table}, {slug} and {detail}.
        acceptable: whether only the person who runs it can know it to be harmless.
        at_gate: whether what is refused in the plan matters to the contract, too.
    """

    verdict: Verdict | None
    message: str = ""
    acceptable: bool = False
    at_gate: bool = True


NOTHING = Reaction(None)
# Of a change of the type that keeps the name.
BLOCKS = Reaction(
    "later",
    "the contract is refused while it uses {old}: PostgreSQL replaces no column that it names. "
    "Drop it right before the contract, and create it again after that",
)
FOLLOWS = Reaction("carried", "follows the column")
STAYS = Reaction("carried", "stays on {old}, which the contract itself renames to {new}")


class Dependent(NamedTuple):
    """One object that names the column or its table; `catalog` and `oid` say which."""

    kind: Kind
    subject: str
    catalog: str
    oid: int
    detail: str = ""


@dataclass(frozen=True)
class Kind:
    """One kind of dependent.

    Attributes:
        slug: what a finding of it is called, and accepted by.
        columns: what the strategy with a second column does with it.
        view: what the strategy with a view in the table's place does with it.
        same_name: what a change of the type does with it that keeps the column's name; None for
            the same as `columns`, or for what is to name the new column `later` (see `reaction`).
        in_place: what `columns` does with it where its contract renames the column itself (see
            `columns.in_place`); None for the same.
        query: finds it: rows of subject, catalog and oid, below `TREE` and `ctes`.
        ctes: `name AS (...)` for its query; kinds that have the same ones share them.
        find: finds it where a query is not enough; the detail comes last.
        since: the first version of PostgreSQL that has it.
    """

    slug: str
    columns: Reaction
    view: Reaction
    query: str = ""
    find: Callable[[Scope], Awaitable[FoundDependents]] | None = None
    since: int = _ANY
    same_name: Reaction | None = None
    in_place: Reaction | None = None
    ctes: tuple[str, ...] = ()

    def reaction(
        self, strategy: StrategyName, *, keeps_name: bool = False, in_place: bool = False
    ) -> Reaction:
        """Return what a strategy does with it.

        Whatever names the column in a text goes on to name it; what the catalog knows to depend on
        it keeps PostgreSQL from dropping it.
        """
        reaction: Reaction = getattr(self, strategy)
        if in_place and self.in_place is not None:
            return self.in_place
        if not keeps_name:
            return reaction
        if self.same_name is not None:
            return self.same_name
        if reaction.verdict != "later":
            return reaction
        return BLOCKS if self.find is None else NOTHING


@dataclass(frozen=True)
class Trigger:
    """A trigger on the table or a partition, or one with arguments on another table."""

    oid: int
    subject: str
    on_table: bool
    before_row: bool
    each_row: bool
    arguments: tuple[str, ...]
    function: int
    language: str
    known: bool
    tables: frozenset[str]


@dataclass(frozen=True)
class Function:
    """A function whose body is text."""

    oid: int
    subject: str
    body: Body
    is_trigger: bool
    takes_row: bool
    returns_row: bool
    result: Result
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Scope(RenameContext):
    """What is looked at. Texts may still have the old name where the column has the new already."""

    triggers: list[Trigger] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)

    async def fetch(self, query: str, *more: object) -> list[asyncpg.Record]:
        """Run a query below the common part; $1 is the table, $2 the column."""
        rows: list[asyncpg.Record] = await self.connection.fetch(
            f"WITH {TREE} {query}", self.table.oid, self.column_name, *more
        )
        return rows

    def looked_for(self, function: Function) -> SoughtNames:
        """Return whose uses are looked for in this function."""
        triggers = self.triggers_of(function)
        return SoughtNames(
            column=self.target.old,
            table=self.table.name,
            schema=self.table.schema,
            rows=frozenset({"new", "old"} if any(trigger.each_row for trigger in triggers) else ()),
            tables=frozenset(name for trigger in triggers for name in trigger.tables),
            row_known=function.takes_row,
            is_trigger=function.is_trigger,
        )

    def uses_of_rows(self) -> list[tuple[Function, list[Use]]]:
        """Return the functions, with what they do with whole rows or by position."""
        takers = frozenset(
            function.subject.partition("(")[0].rpartition(".")[2].strip('"')
            for function in self.functions
            if function.takes_row
        )
        return [
            (
                function,
                function.body.uses_of_rows(
                    self.looked_for(function), function.result, takers, function.arguments
                ),
            )
            for function in self.functions
        ]

    def triggers_of(self, function: Function) -> list[Trigger]:
        """Return the triggers on the table that call this function."""
        return [
            trigger
            for trigger in self.triggers
            if trigger.function == function.oid and trigger.on_table
        ]


async def read_scope(context: RenameContext) -> Scope:
    """Read the triggers and the functions once, for all kinds."""
    scope = Scope(context.connection, context.target, context.options, context.table)
    for row in await scope.fetch(_TRIGGERS):
        scope.triggers.append(_trigger(row))
    oids = [trigger.function for trigger in scope.triggers if trigger.on_table]
    rows = await scope.fetch(_FUNCTIONS, scope.target.old, scope.table.name, oids)
    for row in rows:
        body = read_body(row["body"], row["language"])
        result = Result(row["returns_row"], row["returns_nothing"], row["language"] == "sql")
        flags = (row["is_trigger"], row["takes_row"], row["returns_row"])
        scope.functions.append(
            Function(row["oid"], row["subject"], body, *flags, result, tuple(row["arguments"]))
        )
    return scope


async def look(kinds: Iterable[Kind], scope: Scope) -> list[Dependent]:
    """Return what there is of these kinds, in their order.

    Their queries are sent as one: that takes the server half the time, and the client a tenth.
    """
    known = [kind for kind in kinds if scope.version >= kind.since]
    rows: list[list[tuple[str, str, int, str]]] = [[] for _ in known]
    ctes = dict.fromkeys(cte for kind in known for cte in kind.ctes)
    query = "\nUNION ALL ".join(
        f"SELECT {number}, k.subject::text, k.catalog::text, k.oid::oid, ''"
        f" FROM ({kind.query}) AS k (subject, catalog, oid)"
        for number, kind in enumerate(known)
        if kind.find is None
    )
    for number, *row in await scope.fetch(f"{''.join(f', {cte}' for cte in ctes)}\n{query}"):
        rows[number].append(tuple(row))
    for number, kind in enumerate(known):
        if kind.find is not None:
            rows[number] = await kind.find(scope)
    return [Dependent(kind, *row) for kind, found in zip(known, rows, strict=True) for row in found]


def lines(numbers: list[int]) -> str:
    """Return where in a body, for a message."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"line {shown}" if len(numbers) == 1 else f"lines {shown}"


def _trigger(row: asyncpg.Record) -> Trigger:
    return Trigger(
        oid=row["oid"],
        subject=row["subject"],
        on_table=row["on_table"],
        before_row=row["type"] & _BEFORE_ROW == _BEFORE_ROW,
        each_row=bool(row["type"] & 1),
        arguments=tuple(_decoded(part) for part in row["arguments"].split(b"\0")[:-1]),
        function=row["function"],
        language=row["language"],
        known=row["known"],
        tables=frozenset(name for name in (row["old_table"], row["new_table"]) if name),
    )


def _decoded(argument: bytes) -> str:
    """Return a trigger's argument; it is in the database's encoding."""
    try:
        return argument.decode()
    except UnicodeDecodeError:
        return argument.decode("latin-1")


# Of contrib's functions in C it is known that they name a column by their arguments only.
_TRIGGERS = f"""
SELECT t.oid, quote_ident(t.tgname) || ' ON ' || t.tgrelid::regclass AS subject,
    t.tgrelid IN (SELECT relid FROM tree) AS on_table, t.tgtype::int AS type,
    t.tgargs AS arguments, t.tgfoid AS function, l.lanname::text AS language,
    t.tgoldtable::text AS old_table, t.tgnewtable::text AS new_table,
    l.lanname NOT IN ('c', 'internal') OR p.pronamespace = 'pg_catalog'::regnamespace
        OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d
            JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
            AND e.extname IN ('autoinc', 'insert_username', 'lo', 'moddatetime', 'refint', 'tcn'))
        AS known
FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgname !~ '{OWN_TRIGGERS}'
    AND (t.tgnargs > 0 OR t.tgrelid IN (SELECT relid FROM tree))
ORDER BY 2
"""
# Those that can matter at all; bodies of extensions' functions are not ours to change.
_FUNCTIONS = """
SELECT p.oid, p.oid::regprocedure::text AS subject, l.lanname::text AS language, p.prosrc AS body,
    p.prorettype = 'trigger'::regtype AS is_trigger,
    EXISTS (SELECT FROM row_type AS r WHERE r.oid = ANY (p.proargtypes::oid[])
        OR r.oid = ANY (p.proallargtypes)) AS takes_row,
    p.prorettype IN (SELECT oid FROM row_type) AS returns_row,
    p.prorettype = 'void'::regtype OR p.prokind = 'p' AS returns_nothing,
    ARRAY(SELECT a.name FROM unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]))
        AS a (name, type) WHERE a.name <> '' AND a.type IN (SELECT oid FROM row_type)) AS arguments
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang,
LATERAL (SELECT lower(replace(p.prosrc, '""', '"')) AS text) AS s
WHERE l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'invoicing_rename')
    AND (p.oid = ANY ($5::oid[]) OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'))
    AND (p.oid = ANY ($5::oid[]) OR strpos(s.text, 'u&') > 0 OR strpos(s.text, lower($3)) > 0
        OR strpos(s.text, lower($4)) > 0
        OR EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_proc'::regclass
            AND d.objid = p.oid AND d.refclassid = 'pg_type'::regclass
            AND d.refobjid IN (SELECT oid FROM row_type)))
ORDER BY 2
"""
