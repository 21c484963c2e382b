"""`shared-session`: one session is used by one task at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.called import by_callee
from invoicing.toolkit.policy.python.closures import PARTIAL, used_through, words_of
from invoicing.toolkit.policy.python.objects import used_by_object
from invoicing.toolkit.policy.python.sessions import possible_session_names, scopes, session_names
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

SLUG = "shared-session"
TOGETHER = {"asyncio.gather", "asyncio.wait", "asyncio.as_completed", "anyio.gather"}
MAPS = {"map", "starmap"}
STARTS = {"create_task", "start_soon", "ensure_future"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find sessions that are given to several tasks at once."""
    for module in project.modules:
        tasks: dict[tuple[int, str], list[CallSyntax]] = {}
        for call, is_start in _concurrent(project, module):
            sessions = session_names(project, module, call)
            possible = possible_session_names(module, call.function) - sessions
            names = sessions | possible
            if not is_start:
                for name in _gathered(project, module, call, names):
                    yield _finding(module, call, name, strict=name in possible)
            else:
                # In a loop it starts several; awaited where it stands, one after the other.
                times = 0 if call.awaited else 1 + call.is_repeated
                for name in _used(project, module, call, names):
                    tasks.setdefault((call.function, name), []).extend([call] * times)
        for (_, name), calls in tasks.items():
            if len(calls) > 1 and not _in_turn(module, calls):
                strict = name in possible_session_names(module, calls[1].function)
                strict &= name not in session_names(project, module, calls[1])
                yield _finding(module, calls[1], name, strict=strict)


def _concurrent(project: Project, module: ModuleSyntax) -> Iterator[tuple[CallSyntax, bool]]:
    """Return the calls that start tasks, in order, and whether each starts one of them."""
    found: list[tuple[CallSyntax, bool]] = []
    for callee, calls in by_callee(project, module).items():
        is_start = callee.rpartition(".")[2] in STARTS
        if is_start or project.resolve(module, callee) in TOGETHER:
            found += [(call, is_start) for call in calls]
    yield from sorted(found, key=lambda each: each[0].place)


def _gathered(
    project: Project, module: ModuleSyntax, call: CallSyntax, sessions: set[str]
) -> list[str]:
    parts = [*call.inner]
    for argument in filter(None, call.arguments):
        # What was made before, and has a name.
        for scope in scopes(module, call.function):
            bound = scope.names.get(argument)
            parts += scope.lists.get(argument, ())
            if bound is not None and not isinstance(bound, str):
                parts.append(bound)
    parts = [part for part in parts if part.callee.rpartition(".")[2] not in STARTS]
    # What is mapped is called several times.
    parts += [part for part in parts if any(_is_mapped(each) for each in (part, *part.inner))]
    used = [name for part in parts for name in _used(project, module, part, sessions)]
    return sorted({name for name in used if used.count(name) > 1})


def _is_mapped(call: CallSyntax) -> bool:
    return call.callee.rpartition(".")[2] in MAPS


def _used(project: Project, module: ModuleSyntax, call: CallSyntax, sessions: set[str]) -> set[str]:
    """Return the sessions that a call is given, or whose method it is, or that a closure uses."""
    used = (words_of(call) | used_through(project, module, call)) & sessions
    used |= used_by_object(project, module, call, sessions)
    for inner in (*call.inner, *_bound(project, module, call)):
        used |= _used(project, module, inner, sessions)
    return used


def _bound(project: Project, module: ModuleSyntax, call: CallSyntax) -> list[CallSyntax]:
    """Return the `partial` that a call is of, where it has a name."""
    for scope in scopes(module, call.function):
        made = scope.names.get(call.callee)
        if made is not None and not isinstance(made, str):
            is_partial = project.resolve(module, made.callee) in PARTIAL
            return [made] if is_partial and made is not call else []
    return []


def _in_turn(module: ModuleSyntax, calls: list[CallSyntax]) -> bool:
    """Return whether each task is awaited before the next is started."""
    scope = module.functions[calls[0].function]
    names = {id(bound): name for name, bound in scope.names.items()}
    for first, second in pairwise(calls):
        lines = scope.waits.get(names.get(id(first), ""), ())
        if not any(first.place.line <= line < second.place.line for line in lines):
            return False
    return True


def _finding(module: ModuleSyntax, call: CallSyntax, name: str, *, strict: bool) -> PolicyFinding:
    fix = "open a session in each task, or await one after the other"
    if strict:
        fix = f"annotate it, as {name}: AsyncSession if it is one; then {fix}"
    return PolicyFinding(
        module.path,
        call.place.line,
        call.place.column + 1,
        SLUG,
        f"several tasks use {name} at once",
        fix,
        strict,
    )


RULE = Rule(
    SLUG,
    "a session is used by one task at a time",
    "Two tasks on one AsyncSession share its transaction and its objects. Sometimes it raises, "
    "sometimes it succeeds silently, with one task's rollback undoing the other's work.\n\n"
    "Seen are gather, wait, as_completed and task groups (asyncio, anyio, trio), with coroutines "
    "that are given the session, with closures, lambdas and partials over it, and with methods of "
    "self that use self.session, their own or inherited, or of an object of the project's classes "
    "that is made with the session (repository = Repository(session)). A closure that opens a "
    "session of its own or holds a Lock around its use is clean. A function of another module is "
    "judged by the arguments of its call alone.",
    {"gathered": "await asyncio.gather(list_invoices(session), list_accounts(session))"},
    {
        "awaited in turn": "invoices = await list_invoices(session)\n"
        "accounts = await list_accounts(session)"
    },
    check,
)
