"""The text of functions, cut into tokens as PostgreSQL's own lexer does.

Comments go, identifiers fold outside quotes, and what stands in a literal is cut once more, for it
may be dynamic SQL.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<dollar>(?P<tag>\$(?:[^\W\d]\w*)?\$)(?P<inner>.*?)(?:(?P=tag)|\Z))
    |(?P<unicode>[uU]&(?P<coded>'(?:[^']|'')*'|"(?:[^"]|"")*")(?:\s*(?i:uescape)\s*'(?P<by>.)')?)
    |(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    |(?P<string>'(?:[^']|'')*(?:'|\Z))
    |(?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    |(?P<word>[^\W\d][\w$]*)
    |(?P<number>\d+)
    |(?P<mark>\S)""",
    re.VERBOSE | re.DOTALL,
)


_SPLITS = frozenset({"then", "else", "loop", "begin"})


# No column's name, unless it is quoted, or stands after a dot or AS.
_RESERVED = frozenset(
    {"all", "and", "any", "array", "as", "asc", "case", "cast", "check", "collate", "column"}
    | {"constraint", "create", "default", "desc", "distinct", "do", "else", "end", "except"}
    | {"false", "fetch", "for", "foreign", "from", "grant", "group", "having", "in", "into"}
    | {"limit", "not", "null", "offset", "on", "only", "or", "order", "primary", "references"}
    | {"returning", "select", "some", "table", "then", "to", "true", "union", "unique", "user"}
    | {"using", "when", "where", "window", "with"}
)


class Token(NamedTuple):
    """A word or a mark: `text` as PostgreSQL takes it, `raw` as it is written."""

    text: str
    raw: str
    line: int
    is_name: bool
    in_literal: bool
    quoted: bool = False

    def is_keyword(self, before: str) -> bool:
        """Tell whether it can only be a word of SQL's own, after this text."""
        bare = not self.quoted and not self.in_literal
        return bare and self.text in _RESERVED and before not in {".", "as"}


def identifiers(text: str) -> set[str]:
    """Return the names in a text, as written and as PostgreSQL folds them."""
    return {name for token in cut(text, 1, in_literal=True) for name in (token.text, token.raw)} | {
        text
    }


def cut(text: str, line: int, *, in_literal: bool) -> Iterator[Token]:
    """Yield the tokens of a text that begins on `line`."""
    last, end = 0, 0
    while match := _TOKEN.search(text, end):
        line += text.count("\n", last, match.start())
        last, end = match.start(), match.end()
        kind, raw = match.lastgroup, match[0]
        if kind == "comment":
            end = _end_of_comment(text, match.start(), end)
            continue
        if kind == "unicode":
            raw = _decoded(match["coded"], match["by"] or "\\")
            kind = "quoted" if raw[0] == '"' else "string"
        if kind in {"string", "escaped"} or match["dollar"] is not None:
            inner = match["inner"] if match["dollar"] is not None else raw[raw.index("'") + 1 : -1]
            if kind == "escaped":
                inner = re.sub(r"\\(.)", r" \1", inner)
            inner = inner.replace("''", "'")
            if not inner.isidentifier():  # a name all the same, for format('%I') or a JSON key
                yield Token(inner, inner, line, is_name=True, in_literal=True)
            yield from cut(inner, line, in_literal=True)
        elif kind == "quoted":
            name = raw[1:-1].replace('""', '"')
            yield Token(name, name, line, is_name=True, in_literal=in_literal, quoted=True)
        else:
            is_name = kind == "word"
            yield Token(raw.lower() if is_name else raw, raw, line, is_name, in_literal)


class PlacedToken(NamedTuple):
    """A word, a literal or a mark of a text, and where it stands; `text` is empty for a literal."""

    text: str
    start: int
    end: int


def placed(text: str) -> Iterator[PlacedToken]:
    """Yield the tokens of a text itself, without those in its literals and comments."""
    end = 0
    while match := _TOKEN.search(text, end):
        start, end = match.span()
        kind, raw = match.lastgroup, match[0]
        if kind == "comment":
            end = _end_of_comment(text, start, end)
        elif kind == "quoted":
            yield PlacedToken(raw[1:-1].replace('""', '"'), start, end)
        elif kind in {"word", "mark", "number"}:
            yield PlacedToken(raw.lower(), start, end)
        else:
            yield PlacedToken("", start, end)


def windows(tokens: Sequence[Token]) -> Iterator[tuple[Token, Token, Token, Token]]:
    """Yield each token with the token before it and the two after it."""
    nothing = Token("", "", 0, is_name=False, in_literal=False)
    padded = [nothing, *tokens, nothing, nothing]
    return zip(padded, padded[1:], padded[2:], padded[3:], strict=False)


def _decoded(quoted: str, by: str) -> str:
    r"""Return what `U&"d\0061t"` stands for, in its quotes."""
    mark = re.escape(by)
    return re.sub(
        rf"{mark}(?:({mark})|\+([0-9a-fA-F]{{6}})|([0-9a-fA-F]{{4}}))",
        lambda found: found[1] or chr(min(int(found[2] or found[3], 16), 0x10FFFF)),
        quoted,
    )


def _end_of_comment(text: str, start: int, end: int) -> int:
    """Return where a comment ends: those of PostgreSQL can be nested."""
    while text.startswith("/*", start) and text.count("/*", start, end) > text.count(
        "*/", start, end
    ):
        closed = text.find("*/", end)
        if closed < 0:
            return len(text)
        end = closed + 2
    return end


def parts(statement: Sequence[Token]) -> Iterator[list[Token]]:
    """Yield the statements that control structures hold; a CASE within one is left whole."""
    part: list[Token] = []
    cases = 0
    for token in statement:
        word = "" if token.in_literal else token.text
        cases += (word == "case" and bool(part)) - (word == "end" and cases > 0)
        merges = bool(part) and part[0].text in {"merge", "with"}
        if word in _SPLITS and not cases and not merges:
            yield part
            part = []
        else:
            part.append(token)
    yield part


def spelled_out(tokens: Sequence[Token], *, dynamic: bool) -> list[Token]:
    """Return a statement without its literals; where they may be dynamic SQL, in their place."""
    said = any(token.text == "raise" for token in tokens if not token.in_literal)
    return [
        token._replace(in_literal=False)
        for token in tokens
        if not token.in_literal
        or (dynamic and not said and (not token.is_name or _is_word(token.text)))
    ]


def _is_word(text: str) -> bool:
    return text.replace("$", "").isidentifier()


def parentheses(texts: list[str]) -> tuple[list[int], dict[int, int]]:
    """Return for each place the parenthesis that it is in, and where each ends."""
    within, stack, closes = [], [-1], {}
    for place, text in enumerate(texts):
        if text == ")" and len(stack) > 1:
            closes[stack.pop()] = place
        within.append(stack[-1])
        if text == "(":
            stack.append(place)
    return within, closes
