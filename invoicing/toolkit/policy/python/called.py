"""The calls of a module by what they call: there are many calls, of few things."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax


def by_callee(project: Project, module: ModuleSyntax) -> dict[str, list[CallSyntax]]:
    """Return a module's calls by what they call, as it is written."""
    notes = project.notes.setdefault("by callee", {})
    if module.path not in notes:
        grouped: dict[str, list[CallSyntax]] = {}
        for call in module.calls:
            grouped.setdefault(call.callee, []).append(call)
        notes[module.path] = grouped
    known: dict[str, list[CallSyntax]] = notes[module.path]
    return known


def called(project: Project, module: ModuleSyntax, names: Collection[str]) -> Iterator[CallSyntax]:
    """Return a module's calls of one of these dotted names."""
    for callee, calls in by_callee(project, module).items():
        if project.resolve(module, callee) in names:
            yield from calls
