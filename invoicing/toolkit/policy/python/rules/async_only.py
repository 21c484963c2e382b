"""`async-only`: async engines and sessions only, made in the session module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.python.sessions import session_names
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

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
SYNC_DRIVERS = {"psycopg2", "pg8000", "pymysql", "MySQLdb", "cx_Oracle", "pyodbc"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find sync engines, sessions, queries and drivers, and sessions made elsewhere."""
    settings = project.settings
    for module in project.modules:
        if project.is_migration(module):
            # Alembic runs it by a connection that is sync, in whatever project.
            continue
        makes = settings.matches(module.path, settings.session_module)
        for call in module.calls:
            yield from _call(project, module, call, makes=makes)
        for name, place in module.imported:
            driver = name.partition(".")[0]
            if driver in SYNC_DRIVERS:
                yield module.finding(
                    place,
                    SLUG,
                    f"{driver} is a driver that blocks",
                    "use asyncpg, or another async driver",
                )


def _call(
    project: Project, module: ModuleSyntax, call: CallSyntax, *, makes: bool
) -> Iterator[PolicyFinding]:
    made = project.resolve(module, call.callee) or ""
    if made in SYNC:
        name = made.rpartition(".")[2]
        yield module.finding(call.place, SLUG, f"{name} is not async", f"use {SYNC[made]}")
    elif made in MADE_IN_ONE_PLACE and not makes:
        yield module.finding(
            call.place,
            SLUG,
            f"{MADE_IN_ONE_PLACE[made]} is made outside of the session module",
            f"take it from {project.settings.session_module[0]}",
        )
    receiver, _, method = call.callee.rpartition(".")
    if method == "query" and receiver in session_names(project, module, call.function):
        yield module.finding(call.place, SLUG, f"{call.callee} is the legacy query", "use select()")


RULE = Rule(
    SLUG,
    "engines and sessions are async, and come from the session module",
    "One blocking call stops every task of the event loop for as long as the database takes. "
    "Engines that are made here and there have pools, time limits and settings of their own.",
    {"an engine that blocks": "engine = create_engine(url)\nwith Session(engine) as session: ..."},
    {"the session module's session": "async with database.transaction() as session: ..."},
    check,
)
