"""The values that a revision compares with: rows that have none of them would show nothing."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations import Revision

LITERAL = re.compile(r"'((?:[^'\n]|''){1,40})'")
CHANGES = re.compile(r"\b(?:update|delete|using)\b", re.IGNORECASE)
WORD = re.compile(r"\w+")
MOST = 20


def compared(revision: Revision) -> tuple[list[str], set[str]]:
    """Return the texts that upgrade() has in its SQL or by themselves, and all words of the file.

    A table is worth rows of them if its name is one of the words.
    """
    function = revision.node("upgrade")
    texts = [
        node.value
        for node in (ast.walk(function) if function is not None else ())
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    quoted = [literal for text in texts for literal in LITERAL.findall(text)]
    alone = [text for text in texts if 0 < len(text) <= MOST * 2 and "'" not in text]
    changes = CHANGES.search(revision.source) is not None
    words = list(dict.fromkeys([*quoted, *alone]))[:MOST] if changes else []
    return words, set(WORD.findall(revision.source))
