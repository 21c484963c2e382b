"""Read a revision file: its docstring, its variables, and what its two functions do."""

from __future__ import annotations

import ast
import re
from collections import ChainMap
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.migrations.schemas import kept_apart, names_apart
from invoicing.toolkit.policy.migrations.settings import MigrationSettings
from invoicing.toolkit.policy.migrations.steps import RevisionSteps
from invoicing.toolkit.policy.migrations.trace import Trace
from invoicing.toolkit.policy.migrations.values import UNKNOWN, FunctionValue, Value

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.actions import Action

FLAG = re.compile(r"(?<![\w-])DESTRUCTIVE\b(?!\s*:\s*(?:no|none|nothing|false)\b)")
NOT_RESTORED = re.compile(r"^\s*Not restored\s*:", re.MULTILINE)
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Revision:
    """One revision file, parsed; nothing of it is run."""

    path: str
    source: str
    tree: ast.Module
    settings: MigrationSettings = field(default_factory=MigrationSettings)

    @cached_property
    def names(self) -> dict[str, Value]:
        """Give what the file's own names are."""
        reader = Trace({}, self.settings.dialect)
        scope: ChainMap[str, Value] = ChainMap({})
        todo = list(self.tree.body)
        kept = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign)
        while todo:
            node = todo.pop(0)
            if isinstance(node, FunctionNode):
                scope[node.name] = FunctionValue(node)
            elif isinstance(node, ast.ClassDef):
                scope[node.name] = UNKNOWN
            elif isinstance(node, ast.If | ast.Try):
                todo = [*node.body, *node.orelse, *todo]
            elif isinstance(node, kept):
                reader.body([node], scope)
        return dict(scope)

    @property
    def header(self) -> str:
        """Give the docstring, empty where there is none."""
        return ast.get_docstring(self.tree, clean=False) or ""

    @cached_property
    def is_migration(self) -> bool:
        """Tell whether Alembic would take it for a revision."""
        return "revision" in self.names and "down_revision" in self.names

    def finding(self, rule: str, place: tuple[int, int], message: str, fix: str) -> PolicyFinding:
        """Make a finding at a line and column of this file."""
        return PolicyFinding(self.path, *place, rule, message, fix)

    @property
    def identifier(self) -> str | None:
        """Give the revision's own id."""
        value = self.names.get("revision")
        return value if isinstance(value, str) else None

    @property
    def parents(self) -> tuple[str, ...] | None:
        """Give the ids it comes after; None where they are not written as constants."""
        return self._ids("down_revision")

    def _ids(self, variable: str) -> tuple[str, ...] | None:
        value = self.names.get(variable)
        if value is None:
            return ()
        found = value if isinstance(value, list) else [value]
        return tuple(found) if all(isinstance(parent, str) for parent in found) else None

    def node(self, name: str) -> FunctionNode | None:
        """Give a function of the file."""
        value = self.names.get(name)
        return (
            value.node
            if isinstance(value, FunctionValue) and isinstance(value.node, FunctionNode)
            else None
        )

    def pairs(self) -> list[tuple[FunctionNode, FunctionNode]]:
        """Give each upgrade with its downgrade: one pair, or one for each database."""
        found = []
        for name in self.names:
            suffix = name.removeprefix("upgrade")
            there, back = self.node(name), self.node(f"downgrade{suffix}")
            if not name.startswith("upgrade") or there is None or back is None:
                continue
            if not suffix or (suffix.startswith("_") and self.by_database):
                found.append((there, back))
        return found

    @cached_property
    def by_database(self) -> bool:
        """Tell whether upgrade() only picks the function of one of several databases."""
        there = self.node("upgrade")
        calls = ast.walk(there) if there is not None else ()
        return any(isinstance(call, ast.Name) and call.id == "globals" for call in calls)

    def steps(self) -> RevisionSteps:
        """Give what its history needs."""
        there = self.node("upgrade")
        labels = self.names.get("branch_labels")
        return RevisionSteps(
            self.path,
            self.identifier,
            self.parents,
            labels is not None and labels != [],
            FLAG.search(self.header) is not None,
            tuple(self.trace(there).actions) if there is not None else (),
            self._place_of("down_revision"),
            self._ids("depends_on") or (),
            self._way_back(),
        )

    def _way_back(self) -> tuple[Action, ...] | None:
        """Give the steps of downgrade(), where all of them are seen, and it promises all."""
        back = self.node("downgrade")
        if back is None or self.by_database or NOT_RESTORED.search(self.header):
            return None
        trace = self.trace(back)
        opaque = any(action.verb == "opaque" for action in trace.actions)
        return None if opaque or trace.raises is not None else tuple(trace.actions) or None

    def _place_of(self, name: str) -> tuple[int, int]:
        for node in self.tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node.lineno, node.col_offset + 1
        return 1, 1

    def run(self, node: FunctionNode) -> Trace:
        """Follow one of its functions; tables of one name in several schemas are kept apart."""
        if node.name not in self.runs:
            trace = copy(self.trace(node))
            trace.actions = list(kept_apart(trace.actions, self.apart))
            self.runs[node.name] = trace
        return self.runs[node.name]

    def trace(self, node: FunctionNode) -> Trace:
        """Follow one of its functions, with names as they are written."""
        if node.name not in self.traces:
            self.traces[node.name] = Trace(self.names, self.settings.dialect).function(node)
        return self.traces[node.name]

    @cached_property
    def apart(self) -> frozenset[str]:
        """Give the names that tables of several schemas have in it."""
        nodes = [
            self.node(name) for name in self.names if name.startswith(("upgrade", "downgrade"))
        ]
        traces = [self.trace(node) for node in nodes if node is not None]
        return names_apart(action for trace in traces for action in trace.actions)

    @cached_property
    def runs(self) -> dict[str, Trace]:
        """Keep what was followed."""
        return {}

    @cached_property
    def traces(self) -> dict[str, Trace]:
        """Keep what was followed, as it is written."""
        return {}
