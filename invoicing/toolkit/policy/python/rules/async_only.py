"""`async-only`: async engines and sessions only, made in the session module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.python.called import by_callee
from invoicing.toolkit.policy.python.sessions import (
    QUERIES,
    SYNC_SESSIONS,
    is_kind_of,
    made_by,
    session_names,
)
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax, Place

SLUG = "async-only"
SYNC = {
    "sqlalchemy.create_engine": "create_async_engine",
    "sqlalchemy.engine.create_engine": "create_async_engine",
    "sqlalchemy.engine_from_config": "async_engine_from_config",
    "sqlalchemy.orm.Session": "AsyncSession",
    "sqlalchemy.orm.sessionmaker": "async_sessionmaker",
    "sqlalchemy.orm.scoped_session": "async_scoped_session",
    "sqlmodel.Session": "AsyncSession",
    "sqlmodel.create_engine": "create_async_engine",
}
MADE_IN_ONE_PLACE = {
    "sqlalchemy.ext.asyncio.create_async_engine": "an engine",
    "sqlalchemy.ext.asyncio.AsyncSession": "a session",
    "sqlalchemy.ext.asyncio.async_sessionmaker": "a sessionmaker",
    "sqlalchemy.ext.asyncio.async_scoped_session": "a session registry",
}
MOST_DECORATORS = 5
SYNC_DRIVERS = {"psycopg2", "pg8000", "pymysql", "MySQLdb", "cx_Oracle", "pyodbc"}
# What is imported of a driver to know an error by, which connects to nothing.
ERRORS = {"errors", "errorcodes"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find sync engines, sessions, queries and drivers, and sessions made elsewhere."""
    settings = project.settings
    for module in project.modules:
        if project.is_migration(module):
            # Alembic runs it by a connection that is sync, in whatever project.
            continue
        # Alembic's env.py connects by itself: the application does not run then.
        is_env = "alembic.context" in module.imports.values() and module.path.endswith("env.py")
        makes = is_env or settings.matches(module.path, settings.session_module)
        for callee, calls in by_callee(project, module).items():
            is_query = callee.endswith(".query") or ".sync_session." in callee
            if is_query or project.resolve(module, callee) in {*SYNC, *MADE_IN_ONE_PLACE}:
                for call in calls:
                    yield from _call(project, module, call, makes=makes)
        yield from _parameters(project, module)
        for name, place in module.imported:
            driver, _, part = name.partition(".")
            if driver in SYNC_DRIVERS and part not in ERRORS:
                yield _finding(
                    module,
                    place,
                    f"{driver} is a driver that blocks",
                    "use asyncpg, or another async driver",
                )


def _parameters(project: Project, module: ModuleSyntax) -> Iterator[PolicyFinding]:
    """Find functions that take a session that blocks.

    One that is handed to something else is called by it: by run_sync, or by an event.
    """
    for function in module.functions[1:]:
        if not function.name or function.place is None:
            continue
        for name, said in function.sessions.items():
            if (
                name in function.parameters
                and is_kind_of(project, module, said, SYNC_SESSIONS)
                and function.name not in _handed_over(project)
                and not _listens(module, function.place)
            ):
                message = f"{function.name} takes a session that blocks, {name}: {said}"
                yield _finding(module, function.place, message, "take an AsyncSession")


def _handed_over(project: Project) -> set[str]:
    """Return the names of what any call is given."""
    notes = project.notes.setdefault("handed over", {})
    if not notes:
        calls = (call for module in project.modules for call in module.calls)
        notes["names"] = {
            name.rpartition(".")[2]
            for call in calls
            if call.callee.rpartition(".")[2] not in {"Depends", "add_api_route"}
            for name in (*call.arguments, *(each.name for each in call.keywords.values()))
            if name
        }
    names: set[str] = notes["names"]
    return names


def _listens(module: ModuleSyntax, place: Place) -> bool:
    """Return whether a decorator above a function lets it listen to an event."""
    return any(
        place.line - MOST_DECORATORS <= call.place.line < place.line
        for call in module.calls
        if call.callee.rpartition(".")[2] == "listens_for"
    )


def _call(
    project: Project, module: ModuleSyntax, call: CallSyntax, *, makes: bool
) -> Iterator[PolicyFinding]:
    made = made_by(project, module, call)
    if made in SYNC:
        name = made.rpartition(".")[2]
        yield _finding(module, call.place, f"{name} is not async", f"use {SYNC[made]}")
    elif made in MADE_IN_ONE_PLACE and not makes:
        given = next(iter(project.settings.session_module), "*")
        named = "the session module (session_module in [tool.invoicing.policy])"
        message = f"{MADE_IN_ONE_PLACE[made]} is made outside of the session module"
        fix = f"take it from {named if '*' in given else given}"
        yield _finding(module, call.place, message, fix)
    receiver, _, method = call.callee.rpartition(".")
    asynchronous = receiver.removesuffix(".sync_session")
    if asynchronous != receiver and method in QUERIES:
        if asynchronous in session_names(project, module, call):
            yield _finding(
                module, call.place, f"{call.callee} blocks", f"await {asynchronous}.{method}"
            )
    elif method == "query" and receiver in session_names(project, module, call):
        yield _finding(module, call.place, f"{call.callee} is the legacy query", "use select()")


def _finding(module: ModuleSyntax, place: Place, message: str, fix: str) -> PolicyFinding:
    return PolicyFinding(module.path, place.line, place.column + 1, SLUG, message, fix)


RULE = Rule(
    SLUG,
    "engines and sessions are async, and come from the session module",
    "One blocking call stops every task of the event loop for as long as the database takes. "
    "Engines that are made here and there have pools, time limits and settings of their own.",
    {"an engine that blocks": "engine = create_engine(url)\nwith Session(engine) as session: ..."},
    {"the session module's session": "async with database.transaction() as session: ..."},
    check,
)
