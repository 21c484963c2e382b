"""Parameters of SQL that an analyst writes: `:name`, wherever the server would not read a text.

A colon in a literal, a quoted name, a dollar quote or a comment begins none, nor does a cast or the
bound of a slice. `IN :names` takes a list, an empty one too; `ANY(:names)` takes it as an array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, KeysView, Mapping, ValuesView
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sqlalchemy import bindparam, text

from invoicing.errors import UsageError
from invoicing.notebook.errors import MissingParameterError

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, TextClause

_TOKENS = re.compile(
    r"""
    (?P<text>
        (?<![\w$])[Ee]'(?:[^'\\]|\\.|'')*(?:'|\Z)
        | '(?:[^']|'')*(?:'|\Z)
        | "(?:[^"]|"")*(?:"|\Z)
        | (?<![\w$])(?P<tag>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=tag)|\Z)
        | --[^\n]*
        | /\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*(?:[^*]|\*(?!/))*\*/)*(?:\*/|\Z)
    )
    | ::
    | \\:
    | (?P<within>(?P<not>\bNOT\s+)?\bIN\s*(?P<open>\(\s*)?|(?:\b(?:ANY|ALL|SOME)\s*\(\s*))?
      (?<![\w:\\\]]):(?P<name>[^\W\d]\w*)(?(open)\s*\))
    | :
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_IN = re.compile(r"(?:NOT\s+)?IN\b", re.IGNORECASE)
LISTS = (list, tuple, set, frozenset)
_ALSO_LISTS = (range, KeysView, ValuesView, pd.Series, pd.Index, np.ndarray)


def bound_text(sql: str, values: object) -> TextClause:
    """Return SQL with the value of each `:name` in it; what is not in it is left out.

    Raises:
        MissingParameterError: a name has no value.
        UsageError: the values have no names, or one is a generator.
    """
    if not isinstance(values, Mapping):
        message = (
            f"the parameters are a {type(values).__name__} without names. Nothing was read. "
            "Write :name in the SQL, and give {'name': ...}"
        )
        raise UsageError(message)
    given: Mapping[str, Any] = values
    sql = sql.strip().removesuffix(";")
    names = dict.fromkeys(match["name"] for match in _TOKENS.finditer(sql) if match["name"])
    missing = [name for name in names if name not in given]
    if missing:
        raise MissingParameterError(missing)
    parameters: dict[str, BindParameter[Any]] = {}

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return _escaped(match[0])
        return _parameter(match, plain_value(name, given[name]), parameters)

    statement = text(_TOKENS.sub(written, sql))
    return statement.bindparams(*parameters.values())


def plain_value(name: str, value: object) -> object:
    """Return a value as a driver takes it: what pandas and numpy hold as Python's own.

    Raises:
        UsageError: it is a generator, which would be empty when the cell runs again.
    """
    if isinstance(value, Iterator):
        message = (
            f":{name} is a {type(value).__name__}, which can be read once only. Nothing was read. "
            f"Write: {name} = list({name})"
        )
        raise UsageError(message)
    if isinstance(value, _ALSO_LISTS):
        return value.tolist() if hasattr(value, "tolist") else list(value)
    if value is pd.NA or value is pd.NaT:
        return None
    return value.item() if isinstance(value, np.generic) else value


def first_word(sql: str) -> str:
    """Return the first word of a statement, in capitals."""
    found = re.search(r"\w+", _TOKENS.sub(_without_text, sql))
    return found[0].upper() if found else ""


def _without_text(match: re.Match[str]) -> str:
    return " " if match["text"] else match[0]


def _escaped(part: str) -> str:
    r"""Return a part without parameters as `text` reads it; `\:` has always been a colon."""
    return part.replace("\\:", ":").replace(":", "\\:")


def _parameter(
    match: re.Match[str], value: object, parameters: dict[str, BindParameter[Any]]
) -> str:
    """Return a parameter as `text` reads it, and note its value."""
    name, within = match["name"], match["within"] or ""
    if not isinstance(value, LISTS):
        parameters[name] = bindparam(name, value)
        return match[0].replace(f":{name}", f" :{name} ")
    if not _IN.match(within):
        key = f"{name}_array" if within else name
        parameters[key] = bindparam(key, list(value), expanding=not within)
        return f"{within} :{key} "
    if not value:
        # A list without elements would need a type, which the column alone knows.
        return "<> ALL ('{}')" if match["not"] else "= ANY ('{}')"
    parameters[name] = bindparam(name, list(value), expanding=True)
    return f"{match['not'] or ''}IN :{name} "
