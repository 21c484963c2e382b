"""Tell whether the text of a statement names the old column, or another of the same name.

The text is parsed by pglast, PostgreSQL's own parser, where it is installed, else by sqlglot. A
name is looked up as PostgreSQL does: in the innermost query that has a relation with such a column,
then outwards. Where a text may mean the column, it counts as naming it; where it cannot be parsed,
so it does if the table's name stands where a relation's can.

What it cannot know: the search path of the session that sent it, so that a table of that name
without a schema is taken for the table; and what a program reads of a `*`, since both columns are
in it.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.workload import statement_pglast
from invoicing.toolkit.rename.workload.statement_names import Meaning, StatementNames

if TYPE_CHECKING:
    from collections.abc import Callable

# Comments, and strings, in which nothing is a relation's name.
_NO_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_OF_CATALOG = re.compile(r"\b(?:from|join)\s+pg_catalog\.", re.IGNORECASE)
_BEFORE = r"\b(?:from|join|into|update|only|copy|using|table|truncate)\s+|[,(.]\s*|::\s*"


def names_column(text: str, meaning: Meaning) -> bool:
    """Return whether a statement names the old column, or may do so."""
    names = StatementNames(meaning)
    if _reader()(text, names):
        return names.name_the_column()
    return any(_has_relation(text, table) for table in meaning.tables)


def reads_catalogs_only(text: str, schema: str, table: str) -> bool:
    """Return whether a statement is about catalogs, as those of pg_dump and of drivers are.

    A table's name in it is then an alias there. A text that cannot be parsed has to read a catalog
    by its full name, and the table's name may not stand where a relation's can.
    """
    names = StatementNames(Meaning(schema, frozenset({table}), "", {}))
    if _reader()(text, names):
        return names.are_of_catalogs()
    return _OF_CATALOG.search(text) is not None and not _has_relation(text, table)


@cache
def _reader() -> Callable[[str, StatementNames], bool]:
    """Return what reads a text into names; sqlglot takes half a second to import, so late."""
    if importlib.util.find_spec("pglast"):
        return statement_pglast.read
    from invoicing.toolkit.rename.workload.statement_sqlglot import read

    return read


def _has_relation(text: str, table: str) -> bool:
    """Return whether a relation's name may stand in a text, and not only an alias or a prefix."""
    name = rf'(?:{_BEFORE})(?:"{re.escape(table)}"|{re.escape(table)}\b)(?!\s*\.)'
    return re.search(name, _NO_CODE.sub(" ", text), re.IGNORECASE) is not None
