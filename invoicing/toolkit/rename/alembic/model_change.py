"""The one line of a model that a rename changes, as source."""

from __future__ import annotations

import ast
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect as inspected

from invoicing.toolkit.rename.alembic.source import literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Table


@dataclass(frozen=True)
class ModelChange:
    """Where a mapped class names the column, and what it says instead.

    Attributes:
        path: its file.
        line: where the statement begins.
        model: the class.
        old: the statement as it is.
        new: the same, of the new name.
    """

    path: Path
    line: int
    model: str
    old: str
    new: str


def find_change(table: Table, old: str, new: str) -> ModelChange | None:
    """Return the change of the class that maps a table; None where no source says it."""
    for model in _mapped(table):
        try:
            path = Path(inspect.getsourcefile(model) or "")
            source = path.read_text(encoding="utf-8")
            key = inspected(model).get_property_by_column(table.columns[old]).key
        except (OSError, TypeError, KeyError, ValueError):
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) and node.name == model.__name__:
                statement = _statement(node, key)
                if statement is not None:
                    was = _lines(source, statement)
                    now = _renamed(source, statement, old, new)
                    return ModelChange(path, statement.lineno, model.__name__, was, now)
    return None


def _mapped(table: Table) -> Iterator[Any]:
    """Yield the classes that map a table, the one that names the column itself first."""
    found: dict[int, Any] = {}
    for module in list(sys.modules.values()):
        for value in list(vars(module).values()) if module is not None else []:
            if isinstance(value, type) and getattr(value, "__table__", None) is table:
                found[id(value)] = value
    yield from sorted(found.values(), key=lambda model: len(model.__mro__))


def _statement(model: ast.ClassDef, key: str) -> ast.Assign | ast.AnnAssign | None:
    for node in model.body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else []
        targets = [*node.targets] if isinstance(node, ast.Assign) else targets  # type: ignore[list-item]
        names = (target.id for target in targets if isinstance(target, ast.Name))
        if key in names:
            return node  # type: ignore[return-value]
    return None


def _lines(source: str, node: ast.stmt) -> str:
    return "\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno])


def _renamed(source: str, node: ast.Assign | ast.AnnAssign, old: str, new: str) -> str:
    """Return the statement with another name of the column, and of the attribute like it."""
    places: list[tuple[ast.expr, str]] = []
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    named = [
        inner
        for call in ast.walk(node)
        if isinstance(call, ast.Call)
        for inner in call.args[:1]
        if isinstance(inner, ast.Constant) and inner.value == old
    ]
    if isinstance(target, ast.Name) and target.id == old and new.isidentifier():
        places.append((target, new))
        places += [(inner, literal(new)) for inner in named]
    elif named:
        places += [(inner, literal(new)) for inner in named]
    lines = source.splitlines()
    for place, text in sorted(places, key=lambda found: (-found[0].lineno, -found[0].col_offset)):
        row = lines[place.lineno - 1].encode()
        end = place.end_col_offset or place.col_offset
        lines[place.lineno - 1] = (row[: place.col_offset] + text.encode() + row[end:]).decode()
    return "\n".join(lines[node.lineno - 1 : node.end_lineno])
