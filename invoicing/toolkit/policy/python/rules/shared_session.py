"""`shared-session`: one session is used by one task at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.sessions import possible_session_names, session_names
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

SLUG = "shared-session"
TOGETHER = {"asyncio.gather", "asyncio.wait", "asyncio.as_completed", "anyio.gather"}
STARTS = {"create_task", "start_soon"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find sessions that are given to several tasks at once."""
    for module in project.modules:
        tasks: dict[tuple[int, str], list[CallSyntax]] = {}
        for call in module.calls:
            sessions = session_names(project, module, call.function)
            possible = possible_session_names(module, call.function) - sessions
            if not sessions | possible:
                continue
            if project.resolve(module, call.callee) in TOGETHER:
                for name in _gathered(call, sessions | possible):
                    yield _finding(module, call, name, strict=name in possible)
            elif call.callee.rpartition(".")[2] in STARTS:
                for name in _used(call, sessions | possible):
                    tasks.setdefault((call.function, name), []).append(call)
        for (function, name), calls in tasks.items():
            if len(calls) > 1:
                strict = name not in session_names(project, module, function)
                yield _finding(module, calls[1], name, strict=strict)


def _gathered(call: CallSyntax, sessions: set[str]) -> list[str]:
    used = [name for inner in call.inner for name in _used(inner, sessions)]
    return sorted({name for name in used if used.count(name) > 1})


def _used(call: CallSyntax, sessions: set[str]) -> set[str]:
    """Return the sessions that a call is given, or whose method it is."""
    words = {call.callee.partition(".")[0], *filter(None, call.arguments)}
    words |= {keyword.name for keyword in call.keywords.values() if keyword.name}
    for inner in call.inner:
        words |= _used(inner, sessions)
    return words & sessions


def _finding(module: ModuleSyntax, call: CallSyntax, name: str, *, strict: bool) -> PolicyFinding:
    fix = "open a session in each task, or await one after the other"
    if strict:
        fix = f"annotate it, as {name}: AsyncSession if it is one; then {fix}"
    message = f"several tasks use {name} at once"
    return module.finding(call.place, SLUG, message, fix, strict=strict)


RULE = Rule(
    SLUG,
    "a session is used by one task at a time",
    "Two tasks on one AsyncSession share its transaction and its objects. Sometimes it raises, "
    "sometimes it succeeds silently, with one task's rollback undoing the other's work.",
    {"gathered": "await asyncio.gather(list_invoices(session), list_accounts(session))"},
    {
        "awaited in turn": "invoices = await list_invoices(session)\n"
        "accounts = await list_accounts(session)"
    },
    check,
)
