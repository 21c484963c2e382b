"""Uses of the type of the table's rows: arguments and results, columns, domains, casts."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction, lines

if TYPE_CHECKING:
    from invoicing.toolkit.rename.dependents.kind import FoundDependents, Function, Scope
    from invoicing.toolkit.rename.dependents.tokens import Token

_USED = """used AS (
    SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) AS subject,
        k.relname::text AS catalog, d.objid AS oid,
        CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.oid IS NOT NULL OR k.relname = 'pg_type'
            THEN 'stored' WHEN k.relname = 'pg_proc' THEN 'function' ELSE 'other' END AS sort
    FROM row_type AS t JOIN pg_catalog.pg_depend AS d ON d.refclassid = 'pg_type'::regclass
        AND d.refobjid = t.oid AND d.deptype IN ('n', 'a')
    JOIN pg_catalog.pg_class AS k ON k.oid = d.classid
    LEFT JOIN pg_catalog.pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
)"""
_RETURNING = """
SELECT p.oid FROM pg_catalog.pg_proc AS p WHERE p.prosqlbody IS NOT NULL AND p.prorettype IN (
    SELECT oid FROM row_type)
"""


async def _functions(scope: Scope, *, building: bool) -> FoundDependents:
    """Return the functions that take or return rows; those that build them by position, or not."""
    bodies = {function.oid: function for function in scope.functions}
    parsed = {row["oid"] for row in await scope.fetch(_RETURNING)}
    found = []
    for subject, catalog, oid in await scope.fetch(
        f", {_USED} SELECT subject, catalog, oid FROM used WHERE sort = 'function'"
    ):
        function = bodies.get(oid)
        builds = oid in parsed or (function is not None and _builds(scope, function))
        if builds is building:
            found.append((subject, catalog, oid, ""))
    return found


def _builds(scope: Scope, function: Function) -> bool:
    if not function.returns_row:
        return False
    words = [token.text for token in function.body.tokens]
    returned = ("return", "(") in pairwise(words)
    # What never names the table has its rows from elsewhere.
    elsewhere = scope.table.name not in words
    return (
        returned
        or elsewhere
        or any(_lists_values(statement, function) for statement in function.body.statements())
        or not {"row", "values"}.isdisjoint(words)
        or bool(function.body.lines_naming(scope.looked_for(function)))
    )


def _lists_values(statement: list[Token], function: Function) -> bool:
    """Return whether a query gives several values, and not a row or a star, to the caller."""
    words = [token.text for token in statement]
    if not function.result.is_plain_sql and ("return", "query") not in pairwise(words):
        return False
    depth, lists = 0, False
    for word in words:
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in {"select", "returning"}:
            lists = True
        elif depth == 0 and word in {"from", "into", "where", "order", "union"}:
            lists = False
        elif depth == 0 and lists and word == ",":
            return True
    return False


async def _typed(scope: Scope, *, built: bool) -> FoundDependents:
    return [
        (function.subject, "pg_proc", function.oid, f" ({lines(used)})")
        for function in scope.functions
        if (used := function.body.lines_of_row_type(scope.looked_for(function), built=built))
    ]


_OTHER = Reaction(
    "refused",
    "uses the type of the table's rows{detail}, which goes with the table: a row of the view is of "
    "another type, with one column more. If nothing calls it: --accept row-type",
    acceptable=True,
    at_gate=False,
)
_FITS = Reaction("noted", "uses the type of the table's rows, which has both columns meanwhile")
KINDS = (
    Kind(
        "stored-row-type",
        Reaction(
            "refused",
            "holds rows of the table's type: they have no value by {new}, and the contract would "
            "take away the one by {old}. Give it a type of its own first. Or use --strategy view",
        ),
        NOTHING,
        "SELECT subject, catalog, oid FROM used WHERE sort = 'stored'",
        ctes=(_USED,),
    ),
    Kind(
        "row-type",
        NOTHING,
        _OTHER,
        "SELECT subject, catalog, oid FROM used WHERE sort = 'stored'",
        ctes=(_USED,),
    ),
    Kind(
        "row-type",
        Reaction(
            "refused",
            "returns rows of the table, and may build them by position: from the expand on a row "
            "has one column more. Let it return what SELECT * gives. Or, if the number of columns "
            "does not matter to it: --accept row-type",
            acceptable=True,
        ),
        _OTHER,
        find=partial(_functions, building=True),
    ),
    Kind("row-type", _FITS, _OTHER, find=partial(_functions, building=False)),
    Kind(
        "row-type",
        Reaction(
            "later",
            "it shows rows of the table's type: by both names from the expand on, by {new} alone "
            "after the contract. Let it name the columns. Or, if its readers take either name: "
            "--accept row-type",
            acceptable=True,
        ),
        _OTHER,
        "SELECT subject, catalog, oid FROM used WHERE sort = 'view'",
        ctes=(_USED,),
        same_name=Reaction("noted", "shows rows of the table's type: with {new} in them meanwhile"),
    ),
    Kind(
        "row-type",
        _FITS,
        _OTHER,
        "SELECT subject, catalog, oid FROM used WHERE sort = 'other'",
        ctes=(_USED,),
    ),
    Kind("row-type", NOTHING, _OTHER, find=partial(_typed, built=False)),
    Kind(
        "row-type",
        Reaction(
            "refused",
            "builds a row of the table by position{detail}: from the expand on a row has one "
            "column more. Let it name the columns, then begin",
            acceptable=True,
        ),
        NOTHING,
        find=partial(_typed, built=True),
    ),
)
