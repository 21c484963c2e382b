"""Which lines a comment for the gate is about: the statement that it is beside or above."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.walking import below

if TYPE_CHECKING:
    from collections.abc import Sequence

Span = tuple[int, int]


def statements_of(tree: ast.Module) -> list[Span]:
    """Return the first and last line of each statement; of one with a body, up to that."""
    return [_span(node) for node in below(tree) if isinstance(node, ast.stmt)]


def lines_of(line: int, column: int, lines: Sequence[str], statements: list[Span]) -> range:
    """Return the lines that a comment is about.

    One that stands alone is about the statement below it, other comments between them or not.
    One at the beginning or the end of a statement is about all of it; one within, about its line.

    Args:
        line: where the comment is.
        column: where in it.
        lines: the text.
        statements: the spans of its statements.
    """
    about = line
    if not lines[line - 1][:column].strip():
        about += 1
        while about <= len(lines) and lines[about - 1].lstrip().startswith("#"):
            about += 1
        near = [span for span in statements if span[0] == about]
    else:
        near = [span for span in statements if line in span]
    if not near:
        return range(about, about + 1)
    first, last = min(near, key=lambda span: span[1] - span[0])
    return range(first, last + 1)


def _span(node: ast.stmt) -> Span:
    decorators = getattr(node, "decorator_list", ())
    first = min([node.lineno, *(each.lineno for each in decorators)])
    cases = [case.pattern for case in node.cases] if isinstance(node, ast.Match) else []
    inner = [*cases, *getattr(node, "body", ())]
    if not inner:
        return first, node.end_lineno or node.lineno
    begins = min([inner[0].lineno, *(d.lineno for d in getattr(inner[0], "decorator_list", ()))])
    return first, max(begins - 1, node.lineno)
