"""Tell whether the text of a statement names the old column, or another of the same name.

The text is parsed by pglast, PostgreSQL's own parser, where it is installed, else by sqlglot. A
name is looked up as PostgreSQL does: in the innermost query that has a relation with such a column,
then outwards. Where a text cannot be parsed, or may mean the column, it counts as naming it.

What it cannot know: the search path of the session that sent it, so that a table of that name
without a schema is taken for the table; and what a program reads of a `*`, since both columns are
in it.
"""

from __future__ import annotations

import importlib.util

from invoicing.toolkit.rename import statement_pglast, statement_sqlglot
from invoicing.toolkit.rename.statement_names import Meaning, Names

_READ = statement_pglast.read if importlib.util.find_spec("pglast") else statement_sqlglot.read


def names_column(text: str, meaning: Meaning) -> bool:
    """Return whether a statement names the old column, or may do so."""
    names = Names(meaning)
    return not _READ(text, names) or names.name_the_column()
