"""The imports of a revision that is fresh from its template, as ruff and isort want them.

Alembic's own templates import `Union` and sort by no rule that a linter has; what a project has
written in its template in any other way is left as it is.
"""

from __future__ import annotations

import ast
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_TEMPLATE = (
    ("from typing import Sequence, Union\n", "from collections.abc import Sequence\n"),
    ("Union[str, Sequence[str], None]", "str | Sequence[str] | None"),
    ("Union[str, None]", "str | None"),
)
_ALIAS = "import sqlalchemy as sa\n"
_IMPORTS = (ast.Import, ast.ImportFrom)


class _Place(NamedTuple):
    """Where an import stands among the others."""

    section: int
    is_from: bool
    module: str


def with_imports(source: str, is_first_party: Callable[[str], bool]) -> str:
    """Return the source with its imports sorted, and with none of `sa` where it is not used.

    Args:
        source: of a whole module.
        is_first_party: tells by the first part of a module's name whether it is the project's own.
    """
    if all(old in source for old, _ in _OF_TEMPLATE[:2]):
        for old, new in _OF_TEMPLATE:
            source = source.replace(old, new)
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    if "sa" not in names:
        source = source.replace(_ALIAS, "", 1)
    body = ast.parse(source).body
    imports = [node for node in body if isinstance(node, _IMPORTS)]
    if not imports:
        return source
    lines = source.splitlines(keepends=True)
    first, last = imports[0].lineno - 1, imports[-1].end_lineno or imports[-1].lineno
    after = "\n" + "".join(lines[last:]).lstrip("\n")
    block = [line for line in lines[first:last] if line.strip()]
    if len(block) == len(imports):  # no comment between, and each on one line
        places = [_place(node, is_first_party) for node in imports]
        lines[first:last] = _sorted(block, places)
        last = len(lines) - (len(source.splitlines()) - last)
    return "".join(lines[:last]) + after


def _sorted(block: list[str], places: list[_Place]) -> list[str]:
    found: list[str] = []
    section = None
    for place, line in sorted(zip(places, block, strict=True)):
        if section is not None and place.section != section:
            found.append("\n")
        section = place.section
        found.append(line if line.endswith("\n") else f"{line}\n")
    return found


def _place(node: ast.stmt, is_first_party: Callable[[str], bool]) -> _Place:
    is_from = isinstance(node, ast.ImportFrom)
    module = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name  # type: ignore[attr-defined]
    first = module.partition(".")[0]
    if first == "__future__":
        section = 0
    elif first in sys.stdlib_module_names:
        section = 1
    else:
        section = 3 if is_first_party(first) else 2
    return _Place(section, is_from, module)
