"""A notebook's parameters, as they are given on a command line: `currency=EUR`."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from papermill.iorw import load_notebook_node

from invoicing.report.errors import NotebookParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def parse_parameters(notebook: Path, given: Iterable[str]) -> dict[str, Any]:
    """Return the values of `NAME=VALUE` texts, each of the type that its default has.

    Raises:
        NotebookParameterError: a text is no such pair, the notebook has no such parameter, or its
            value is of another type.
    """
    defaults = _defaults(notebook)
    values = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or name not in defaults:
            raise NotebookParameterError(notebook.name, text, sorted(defaults))
        default = defaults[name]
        try:
            read = value if isinstance(default, str) else ast.literal_eval(value)
        except (ValueError, SyntaxError):
            read = None
        if type(read) is not type(default):
            raise NotebookParameterError(notebook.name, text, sorted(defaults))
        values[name] = read
    return values


def _defaults(notebook: Path) -> dict[str, Any]:
    cells = load_notebook_node(str(notebook)).cells
    source = next((c.source for c in cells if "parameters" in c.metadata.get("tags", [])), "")
    return {
        target.id: ast.literal_eval(statement.value)
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
