"""Python source of revisions: calls as black and ruff format them, headers, and what it calls."""

from __future__ import annotations

import ast
import io
import tokenize
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.names import working_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_INDENT = 4
# Of a call in a function, whoever writes it there indents it: Alembic, or the template's author.
_WIDTH = 79 - _INDENT
_RENAME, _RETYPE = ("table", "old", "new"), ("table", "column")
_STEPS = {
    "expand_rename": _RENAME,
    "contract_rename": _RENAME,
    "expand_retype": _RETYPE,
    "contract_retype": _RETYPE,
}


class StepCall(NamedTuple):
    """A call of `op.expand_rename`, `op.contract_rename` or the same of a type in a revision.

    Attributes:
        name: which of the two.
        nullable: what the call says of it.
        batch_size: the same; None where it says nothing.
        conversion: what it says of types, as `Options` calls it.
    """

    name: str
    table: str
    old: str
    new: str
    schema: str | None
    nullable: bool = False
    batch_size: int | None = None
    conversion: Mapping[str, str] = MappingProxyType({})

    @property
    def rename(self) -> tuple[str | None, str, str, str]:
        """Return which rename it is of."""
        return (self.schema, self.table, self.old, self.new)


def literal(value: object) -> str:
    """Return a literal, a string in double quotes where that needs no escapes."""
    return double_quoted(repr(value))


def double_quoted(source: str) -> str:
    """Return source with every string in double quotes that has none of its own."""
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    changed, end = "", 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string
        if token.type != tokenize.STRING or not text.endswith("'") or '"' in text:
            continue
        begin = starts[token.start[0] - 1] + token.start[1]
        prefix = text[: text.index("'")]
        quotes = 3 if text.endswith("'''") else 1
        inner = text[len(prefix) + quotes : -quotes]
        changed += source[end:begin] + prefix + '"' * quotes + inner + '"' * quotes
        end = starts[token.end[0] - 1] + token.end[1]
    return changed + source[end:]


def call(name: str, arguments: Sequence[str]) -> str:
    """Return a call, on one line if it fits into a function, else with one argument a line."""
    source = double_quoted(f"{name}({', '.join(arguments)})")
    try:
        node = ast.parse(source, mode="eval").body
    except SyntaxError:  # what a project's own render_item may have made
        return source
    return _formatted(source, node, 0, 0)


def _formatted(source: str, node: ast.expr, column: int, indent: int) -> str:
    text = ast.get_source_segment(source, node) or ""
    # A comma follows it.
    if column + len(text) + 1 <= _WIDTH:
        return text
    inner = indent + _INDENT
    if isinstance(node, ast.Call) and (node.args or node.keywords):
        opened, closed = f"{ast.get_source_segment(source, node.func)}(", ")"
        parts = [_formatted(source, argument, inner, inner) for argument in node.args]
        for keyword in node.keywords:
            given = f"{keyword.arg}=" if keyword.arg else "**"
            parts.append(given + _formatted(source, keyword.value, inner + len(given), inner))
    elif isinstance(node, (ast.List, ast.Tuple)) and node.elts:
        opened, closed = text[0], text[-1]
        parts = [_formatted(source, element, inner, inner) for element in node.elts]
    else:
        return text
    pad = " " * inner
    return opened + "".join(f"\n{pad}{part}," for part in parts) + f"\n{' ' * indent}{closed}"


def steps_of(source: str) -> list[StepCall]:
    """Return the steps of renames in a revision's source; none where it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return list(filter(None, map(_step, calls)))


def _step(node: ast.Call) -> StepCall | None:
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in _STEPS:
        return None
    names = _STEPS[node.func.attr]
    given = dict(zip(names, node.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
    known = {name: value.value for name, value in given.items() if isinstance(value, ast.Constant)}
    if not all(isinstance(known.get(name), str) for name in names):
        return None
    table, old, *new = (str(known[name]) for name in names)
    return StepCall(
        name=node.func.attr,
        table=table,
        old=old,
        new=new[0] if new else working_name(old),
        schema=known.get("schema"),  # type: ignore[arg-type]
        nullable=known.get("nullable") is True,
        batch_size=known.get("batch_size"),  # type: ignore[arg-type]
        conversion={
            name.strip("_"): value
            for name in ("type_", "using", "back", "loss")
            if isinstance(value := known.get(name), str)
        },
    )


def assigned(source: str, name: str) -> str | None:
    """Return the string that a revision assigns to `name` (revision, down_revision)."""
    for node in ast.parse(source).body:
        targets: Iterable[ast.expr] = ()
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Assign):
            targets = node.targets
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = node.value  # type: ignore[attr-defined]
            return str(value.value) if isinstance(value, ast.Constant) and value.value else None
    return None


def with_header(source: str, header: str) -> str:
    """Return a revision that is fresh from its template with a header in its docstring.

    What a template has in that place itself, from `Phase:` on, goes.
    """
    source = double_quoted(source)
    body = ast.parse(source).body
    header = header.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    first = body[0] if body else None
    if not (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    ) or not isinstance(first.value.value, str):
        return f'"""{header}\n"""\n\n{source.lstrip()}'
    lines = source.splitlines(keepends=True)
    before, after = lines[: first.lineno - 1], lines[first.end_lineno or first.lineno :]
    said = first.value.value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    said = said.partition("\nPhase:")[0].strip()
    said = "\n".join(line.rstrip() for line in said.splitlines())
    docstring = f'"""{said}\n\n{header}\n"""\n\n'
    rest = "".join(after).lstrip("\n")
    return "".join(before) + docstring + rest
