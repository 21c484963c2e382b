"""Cut SQL into words, without being misled by texts, comments and bodies of functions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

from invoicing.toolkit.policy.migrations.actions import HOLE

TOKEN = re.compile(
    rf"""
    (?P<space>\s+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<dollar>\$(?:[A-Za-z_]\w*)?\$)
    |(?P<text>'(?:[^']|'')*(?:'|\Z))
    |(?P<name>(?:"(?:[^"]|"")*(?:"|\Z)|`[^`]*`|[\w{HOLE}]+)
        (?:\.(?:"(?:[^"]|"")*(?:"|\Z)|`[^`]*`|[\w{HOLE}]+))*)
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPED = re.compile(r"'(?:[^'\\]|\\.|'')*(?:'|\Z)", re.DOTALL)


@dataclass(frozen=True)
class SqlToken:
    """A word, a text, a body or a sign; `word` is upper case."""

    kind: str
    text: str
    start: int = 0
    word: str = field(default="", compare=False)


def tokens(sql: str) -> Iterator[SqlToken]:
    """Give the tokens, without space and comments. Takes time in proportion to the length."""
    at = 0
    while at < len(sql):
        match = TOKEN.match(sql, at)
        if match is None:
            return
        kind, start, at = match.lastgroup or "", at, match.end()
        if kind == "comment":
            at = after_comment(sql, at)
        elif kind == "dollar":
            end = sql.find(match[0], at)
            body = sql[at : end if end >= 0 else len(sql)]
            at = end + len(match[0]) if end >= 0 else len(sql)
            yield SqlToken("body", body, start)
        elif kind == "name" and match[0] in {"E", "e"} and sql[at : at + 1] == "'":
            escaped = ESCAPED.match(sql, at)
            at = escaped.end() if escaped else at
            yield SqlToken("text", sql[start + 2 : at - 1], start)
        elif kind == "text":
            yield SqlToken("text", match[0][1:-1].replace("''", "'"), start)
        elif kind != "space":
            yield SqlToken(kind, match[0], start, match[0].upper())


def after_comment(sql: str, at: int) -> int:
    """Find the end of a comment, which may hold others."""
    depth = 1
    for match in re.finditer(r"/\*|\*/", sql[at:]):
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return at + match.end()
    return len(sql)


def statements(sql: str) -> list[list[SqlToken]]:
    """Split at the semicolons outside of parentheses and of the body of BEGIN ATOMIC."""
    found: list[list[SqlToken]] = [[]]
    depth = 0
    for token in tokens(sql):
        if token.text in {"(", ")"}:
            depth = max(0, depth + (1 if token.text == "(" else -1))
        if token.word == "ATOMIC" and found[-1] and found[-1][-1].word == "BEGIN":
            depth += 1
        if token.word == "END" and any(other.word == "ATOMIC" for other in found[-1]):
            depth = max(0, depth - 1)
        if token.text == ";" and token.kind == "other" and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return [statement for statement in found if statement]


def listed(words: str) -> set[str]:
    """Give the words of a list that is written as a text."""
    return set(words.split())
