"""A part of `n-plus-one`: a `flush()` for each object, where one for all of them sends one INSERT.

Judged by the source: the flush ends its turn of the loop, so nothing needs the key that it brought.
Where the program goes on with the object, catches what the flush raises, or flushes in a savepoint
of its own, it is meant. An UPDATE for each object goes out as one batch at any flush.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.changes import tables_written
from invoicing.toolkit.profiling.findings.evidence import is_repeated_line, repetition
from invoicing.toolkit.profiling.findings.source_code import FUNCTIONS, module_of
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import Caller, Statement

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_FIX = "add(...) in the loop, and one flush() after it (or none: commit() flushes)"


def flushed_rows(evidence: Evidence) -> Iterator[Finding]:
    """Find objects that were flushed one by one, with nothing after it that needed them."""
    for group in evidence.groups(
        _is_flushed, lambda statement: (statement.transaction, statement.stack, statement.text)
    ):
        many = len(group) >= 2 * evidence.thresholds.repeats
        if many and is_repeated_line(group) and ends_its_turn(group[0].stack):
            table = " and ".join(sorted(tables_written(group[0].text)))
            message = f"flush() sent an INSERT of {table} {len(group)} times, for one object each"
            yield repetition(message, _FIX, None, group, "n-plus-one")


def _is_flushed(statement: Statement) -> bool:
    return (
        statement.cause is Cause.FLUSH
        and statement.within == ("flush",)
        and statement.operation == "INSERT"
        and statement.executions == 1
        and statement.error is None
    )


def ends_its_turn(stack: tuple[Caller, ...]) -> bool:
    """Return whether the line is the last that a turn of its loop runs, also through functions."""
    for caller in stack:
        module = module_of(caller.file)
        node: ast.AST | None = module.statement_at(caller.line)
        if not isinstance(node, (ast.Expr, ast.Return)):
            return False
        while node is not None:
            parent = module.parents.get(node)
            if not isinstance(parent, (*_LOOPS, *FUNCTIONS, ast.If)) or not _is_last(node, parent):
                return False
            if isinstance(parent, _LOOPS):
                return True
            node = parent
            if isinstance(parent, FUNCTIONS):
                break
    return False


def _is_last(node: ast.AST, parent: ast.AST) -> bool:
    """Return whether nothing follows in its block but the return of the object itself."""
    block = next((each for each in _blocks(parent) if node in each), [])
    rest = block[block.index(node) + 1 :] if node in block else [node]
    return all(
        isinstance(each, ast.Return) and isinstance(each.value, (ast.Name, type(None)))
        for each in rest
    )


def _blocks(parent: ast.AST) -> list[list[ast.AST]]:
    return [getattr(parent, "body", []), getattr(parent, "orelse", [])]
