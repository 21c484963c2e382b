"""Functions of triggers in which the column's name can be replaced, for every use of it is proven.

That is a function in plpgsql whose triggers are all on the table, for each row, and that names the
column as `NEW.it` or `OLD.it` alone. What another name in it means is judged as in every function
(see `text`): where it may be the column, nothing is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.dependents.text import SoughtNames, read_body
from invoicing.toolkit.rename.dependents.tokens import PlacedToken, placed
from invoicing.toolkit.rename.names import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.context import RenameContext

_ROWS = ("new", "old")
# RETURNING has an OLD and a NEW of its own since PostgreSQL 18; the others give a row a new name.
_UNCLEAR = frozenset({"returning", "alias", "merge"})
_BEFORE_A_NAME = frozenset({"declare", ";", "as", "from", "join", "for", "foreach"})
_FUNCTIONS = """
SELECT p.oid, p.oid::regprocedure::text AS subject, p.prosrc AS body,
    pg_catalog.pg_get_functiondef(p.oid) AS definition
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE l.lanname = 'plpgsql' AND pg_catalog.pg_has_role(p.proowner, 'USAGE')
    AND pg_catalog.has_schema_privilege(p.pronamespace, 'CREATE')
    AND pg_catalog.has_language_privilege(l.oid, 'USAGE')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = p.oid
        AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e')
    AND (SELECT pg_catalog.bool_and(t.tgtype::int & 1 = 1
            AND t.tgoldtable IS NULL AND t.tgnewtable IS NULL AND t.tgrelid IN (SELECT $1::oid
            UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::oid::pg_catalog.regclass)))
        FROM pg_catalog.pg_trigger AS t WHERE t.tgfoid = p.oid)
ORDER BY 2
"""


class Rewrite(NamedTuple):
    """A function, and what it is with the column's other name.

    Attributes:
        body, new_body: its text before and after.
        definition: what makes it as it is now.
    """

    oid: int
    subject: str
    body: str
    new_body: str
    definition: str

    @property
    def statement(self) -> str:
        """Return what replaces it, all else of it being as it is."""
        return self._head + _dollar_quoted(self.new_body)

    @property
    def is_known(self) -> bool:
        """Tell whether its definition ends with its text, as PostgreSQL writes it."""
        return self._head != self.definition.rstrip("\n")

    @property
    def _head(self) -> str:
        whole = self.definition.rstrip("\n")
        tag = whole[whole.rindex("$", 0, len(whole) - 1) :]
        return whole.removesuffix(f"{tag}{self.body}{tag}")


async def find_rewrites(context: RenameContext, old: str, new: str) -> list[Rewrite]:
    """Return the functions of the table's triggers in which `old` can be replaced with `new`."""
    rows = await context.connection.fetch(_FUNCTIONS, context.table.oid)
    named = context.names
    names = SoughtNames(old, named.table, named.schema, frozenset(_ROWS), is_trigger=True)
    found = []
    for oid, subject, body, definition in rows:
        new_body = proven(body, names, new)
        if new_body is not None:
            found.append(Rewrite(oid, subject, body, new_body, definition))
    return [rewrite for rewrite in found if rewrite.is_known]


def proven(body: str, names: SoughtNames, new: str) -> str | None:
    """Return the text with the column's other name; None where not every use of it is proven."""
    tokens = [PlacedToken("", 0, 0), *placed(body), PlacedToken("", len(body), len(body))]
    if any(token.text in _UNCLEAR for token in tokens) or _names_a_row(tokens):
        return None
    text = _replaced(body, tokens, names.column, new)
    if text == body or read_body(text, "plpgsql").lines_naming(names):
        return None
    return text


def _replaced(body: str, tokens: Sequence[PlacedToken], old: str, new: str) -> str:
    text, last = "", 0
    for before, row, dot, name, after in zip(*(tokens[n:] for n in range(5)), strict=False):
        is_column = row.text in _ROWS and dot.text == "." and name.text == old
        if is_column and before.text != "." and after.text not in {".", "("}:
            text += body[last : name.start] + quote(new)
            last = name.end
    return text + body[last:]


def _names_a_row(tokens: Sequence[PlacedToken]) -> bool:
    """Tell whether NEW or OLD may be another thing's name here: a variable's, or an alias."""
    return any(
        token.text in _ROWS and (before.text in _BEFORE_A_NAME and after.text.isidentifier())
        for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False)
    )


def _dollar_quoted(body: str) -> str:
    tag = "function"
    while f"${tag}" in body:
        tag += "x"
    return f"${tag}${body}${tag}$"
