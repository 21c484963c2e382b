"""Triggers of the table's own that the backfill's account may not silence: they pass its rows over.

From the expand on, such a trigger has one condition more in its WHEN, which is false only in the
backfill's own sessions. The contract and the rollback take it off. It is known by the rename's key,
so that what a rename put there is distinguished from what its owner wrote.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.names import literal

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

# What a definition has before its WHEN; nothing is looked for within a quoted name.
_HEAD = re.compile(
    r'((?:"(?:[^"]|"")*"|[^"])*?FOR EACH (?:ROW|STATEMENT) )(WHEN \()?(.*)', re.DOTALL
)
_PARENTHESIS = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|([()])""")


def passing_over(names: Names, rest: str) -> str:
    """Return what a definition has after its table's name, with the condition."""
    head, when, tail = _parts(rest)
    return f"{head}WHEN ({_condition(names)}{' AND ' if when else ') '}{tail}"


def without(names: Names, rest: str) -> tuple[str, bool]:
    """Return it without the condition, and whether it had it; PostgreSQL has written it."""
    head, when, tail = _parts(rest)
    found = re.match(rf"(\()?{_printed(names)}(?: AND |\) )", tail) if when else None
    if found is None:
        return rest, False
    if found[1] is None:
        return head + tail[found.end() :], True
    end = _closes(tail)
    return f"{head}WHEN ({tail[found.end() : end]}{tail[end + 1 :]}", True


def _parts(rest: str) -> tuple[str, str | None, str]:
    found = _HEAD.fullmatch(rest)
    if found is None:
        message = f"not a trigger's definition: {rest}"
        raise ValueError(message)
    return found[1], found[2], found[3]


def _condition(names: Names) -> str:
    key = literal(names.key)
    return (
        f"(pg_catalog.concat({key}::pg_catalog.text,"
        " pg_catalog.current_setting('invoicing.backfill', true))"
        f" OPERATOR(pg_catalog.<>) {literal(names.key + 'on')})"
    )


def _printed(names: Names) -> str:
    key = names.key
    setting = r"current_setting\('invoicing\.backfill'::text, true\)"
    return rf"\(concat\('{key}'::text, {setting}\) <> '{key}on'::text\)"


def _closes(text: str) -> int:
    """Return where the parenthesis ends that the text begins with."""
    depth = 0
    for found in _PARENTHESIS.finditer(text):
        depth += {"(": 1, ")": -1}.get(found[1], 0)
        if depth == 0 and found[1] is not None:
            return found.start()
    return len(text)
