"""Tell what each parameter of a statement is compared with, by the words around its placeholder.

It reads tokens, not grammar, so that any dialect will do; what it cannot tell is `OTHER`.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache


class ParameterRole(Enum):
    """What a parameter does in a statement."""

    EQUAL = auto()
    """Looks rows up: `column = ?`."""
    RANGE = auto()
    """Begins or ends a part: `column > ?`, `BETWEEN ? AND ?`."""
    PAGE = auto()
    """Cuts the result: `LIMIT ?`, `OFFSET ?`."""
    LIST = auto()
    """One of many: `column IN (?, ?)`, `= ANY (?)`."""
    PATTERN = auto()
    """What a text has to be like: `column LIKE ?`."""
    OTHER = auto()


_TOKENS = re.compile(
    r"""
      --[^\n]* | /\*.*?\*/
    | (?P<literal> '(?:[^']|'')*' | (?<![\w.$])\d+(?:\.\d+)?\b )
    | (?P<placeholder> \$\d+ | %s | %\(\w+\)s | (?<![:\w]):[A-Za-z_]\w* | \? )
    | (?P<cast> ::[\w ]*\w(?:\[\])? )
    | (?P<word> "(?:[^"]|"")*" | [A-Za-z_][\w.]* )
    | (?P<operator> <=|>=|<>|!=|[=<>] )
    | (?P<bracket> [(),] )
    """,
    re.VERBOSE | re.DOTALL,
)
_PAGING = {"LIMIT", "OFFSET", "FETCH", "TOP", "FIRST", "NEXT"}
_CLAUSES = {"SELECT", "FROM", "WHERE", "AND", "OR", "ON", "HAVING", "SET", "VALUES", "CASE", "THEN"}


@lru_cache(maxsize=2048)
def parameter_roles(text: str) -> tuple[frozenset[ParameterRole], ...]:
    """Return what each parameter of the statement `text` does; it may stand in several places.

    Of a statement without placeholders, what each literal does.
    """
    found = _roles(text, "placeholder") or _roles(text, "literal")
    names = sorted(found, key=_place)
    return tuple(frozenset(found[name]) for name in names)


def _roles(text: str, wanted: str) -> dict[str, set[ParameterRole]]:
    found: dict[str, set[ParameterRole]] = {}
    # The last word or operator that says something, for each level of brackets.
    meaning = [""]
    last: set[ParameterRole] | None = None
    for match in _TOKENS.finditer(text):
        kind, token = match.lastgroup, match[0].upper()
        if kind == wanted:
            unnamed = wanted == "literal" or match[0] in {"?", "%s"}
            name = str(len(found)) if unnamed else match[0]
            last = found.setdefault(name, set())
            last.add(_role(meaning[-1]))
            continue
        if kind == "operator":
            if last == {ParameterRole.OTHER}:
                # `? = column`
                last |= {_role(token)}
                last -= {ParameterRole.OTHER}
            meaning[-1] = token
        elif kind == "word":
            _note(meaning, token)
        elif kind == "bracket":
            _nest(meaning, token)
        last = last if kind == "cast" else None
    return found


def _nest(meaning: list[str], bracket: str) -> None:
    if bracket == "(":
        meaning.append(meaning[-1] if meaning[-1] in _KEPT_INSIDE else "")
    elif bracket == ")" and len(meaning) > 1:
        meaning.pop()


_KEPT_INSIDE = {"IN", "ANY", "=", "<", ">", "<=", ">="} | _PAGING


def _note(meaning: list[str], word: str) -> None:
    if word in {"IN", "ANY", "BETWEEN", "LIKE", "ILIKE"} or word in _PAGING:
        meaning[-1] = word
    elif word in _CLAUSES and not (word == "AND" and meaning[-1] == "BETWEEN"):
        meaning[-1] = ""


def _role(meaning: str) -> ParameterRole:
    match meaning:
        case "=":
            return ParameterRole.EQUAL
        case "<" | ">" | "<=" | ">=" | "BETWEEN":
            return ParameterRole.RANGE
        case "IN" | "ANY":
            return ParameterRole.LIST
        case "LIKE" | "ILIKE":
            return ParameterRole.PATTERN
        case word if word in _PAGING:
            return ParameterRole.PAGE
        case _:
            return ParameterRole.OTHER


def _place(name: str) -> tuple[int, str]:
    digits = name.removeprefix("$")
    # Names (`:name`) keep the order in which they came: sorting is stable.
    return (int(digits), "") if digits.isdigit() else (0, "")
