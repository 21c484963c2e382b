"""Reduce a statement to its shape: what is the same however often and with whatever values it runs.

Literals, placeholders of every style, the lengths of IN lists and of VALUES, comments, layout and
the numbers of savepoints collapse. Names, their case and the order of clauses stay: two statements
that only mean the same are two shapes. It reads tokens, not grammar, so any dialect will do; in a
dialect that quotes strings with double quotes, those count as names and stay.
"""

from __future__ import annotations

import re
from functools import lru_cache

_TOKENS = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\*.*?\*/ )
    | (?P<name> "(?:[^"]|"")*" | `[^`]*` )
    | (?P<string> (?:\b[eE])'(?:[^'\\]|\\.|'')*' | (?:\b(?:[nNbBxX]|[uU]&))?'(?:[^']|'')*'
                | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag) )
    | (?P<placeholder> \$\d+ | %s | %\(\w+\)s | (?<![:\w]):[A-Za-z_]\w* | \? )
    | (?P<savepoint> \bsa_savepoint_\d+ )
    | (?P<number> (?<![\w.])(?:0[xX][\da-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)(?!\w) )
    | (?P<space> \s+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_CAST = r"(?:::[\w ]+(?:\(\?(?:, ?\?)*\))?(?:\[\])*)?"
_VALUE = rf"(?:[-+]?\?{_CAST}|NULL{_CAST}|DEFAULT|true|false)"
_LIST = rf"\( ?{_VALUE}(?: ?, ?{_VALUE})* ?\)"
_IN_LIST = re.compile(rf"\bIN {_LIST}", re.IGNORECASE)
_IN_ROWS = re.compile(rf"\bIN \( ?{_LIST}(?: ?, ?{_LIST})* ?\)", re.IGNORECASE)
_VALUES = re.compile(rf"\bVALUES ?{_LIST}(?: ?, ?{_LIST})*", re.IGNORECASE)
_OPERATION = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(\w+)", re.DOTALL)


@lru_cache(maxsize=2048)
def fingerprint_of(text: str) -> str:
    """Return the shape of the statement `text`."""
    shape = _TOKENS.sub(_collapse, text).strip()
    shape = _IN_LIST.sub("IN (...)", re.sub(r" {2,}", " ", shape))
    return _VALUES.sub("VALUES (...)", _IN_ROWS.sub("IN (...)", shape))


@lru_cache(maxsize=2048)
def operation_of(text: str) -> str:
    """Return the first keyword of the statement `text`, in capitals."""
    match = _OPERATION.match(text)
    return match[1].upper() if match else ""


def _collapse(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind == "name":
        return match[0]
    if kind == "savepoint":
        return "sa_savepoint"
    return " " if kind in {"comment", "space"} else "?"
