"""Which names are sessions, and which calls are queries: by annotations and by what made them.

A name that only sounds like a session is none: `requests` and `aiohttp` have sessions too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, ModuleSyntax

SYNC_SESSIONS = {"sqlalchemy.orm.Session", "sqlalchemy.orm.scoped_session"}
ASYNC_SESSIONS = {
    "sqlalchemy.ext.asyncio.AsyncSession",
    "sqlalchemy.ext.asyncio.async_scoped_session",
    "sqlalchemy.ext.asyncio.AsyncConnection",
    "sqlmodel.ext.asyncio.session.AsyncSession",
}
SESSIONS = (
    SYNC_SESSIONS | ASYNC_SESSIONS | {"sqlalchemy.Connection", "sqlalchemy.engine.Connection"}
)
MAKERS = {
    "sqlalchemy.orm.sessionmaker",
    "sqlalchemy.ext.asyncio.async_sessionmaker",
    "sqlalchemy.orm.scoped_session",
}
QUERIES = {
    "execute", "scalar", "scalars", "stream", "stream_scalars", "get", "get_one", "query",
    "refresh", "merge", "exec", "exec_driver_sql", "scalar_one", "run_sync",
}  # fmt: skip
# Methods that nothing but a session has.
UNMISTAKABLE = {"scalars", "stream_scalars", "execute", "scalar", "stream", "exec"}
# An expression built by more calls than this is not followed.
DEEPEST = 30
EXPRESSIONS = {
    f"sqlalchemy.{name}" for name in ("select", "insert", "update", "delete", "text", "exists")
} | {"sqlalchemy.future.select", "sqlmodel.select", "sqlalchemy.dialects.postgresql.insert"}


def session_names(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    """Return the names that are sessions in a function, its own and the module's."""
    known = project.notes.setdefault("sessions", {})
    key = (module.path, function)
    if key not in known:
        known[key] = _session_names(project, module, function)
    names: set[str] = known[key]
    return names


def possible_session_names(module: ModuleSyntax, function: int) -> set[str]:
    """Return the parameters that only their names say to be sessions."""
    untyped = module.functions[function].untyped
    return {name for name in untyped if name == "session" or name.endswith("_session")}


def _session_names(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    sessions: set[str] = set()
    for syntax in {0, function}:
        names = module.functions[syntax]
        for name, maker in names.sessions.items():
            if _is_session(project, module, maker):
                sessions.add(name)
        for name, bound in names.names.items():
            if not isinstance(bound, str) and _is_session(project, module, f"{bound.callee}()"):
                sessions.add(name)
    return sessions


def _is_session(project: Project, module: ModuleSyntax, said_by: str) -> bool:
    name, is_call, _ = said_by.partition("()")
    resolved = project.resolve(module, name)
    if resolved in SESSIONS:
        return True
    if not is_call:
        return False
    # `sessions = async_sessionmaker(...)`, then `async with sessions() as session`.
    owner, _, last = (resolved or "").rpartition(".")
    home = project.module(owner) or module
    maker = home.functions[0].names.get(last or name.removesuffix(".begin"))
    if maker is None:
        maker = module.functions[0].names.get(name.removesuffix(".begin"))
    if maker is None or isinstance(maker, str):
        return False
    return project.resolve(home, maker.callee) in MAKERS


def is_query(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    """Return whether a call sends a query by a session or a connection."""
    receiver, _, method = call.callee.rpartition(".")
    if method not in QUERIES or not receiver:
        return False
    if receiver in session_names(project, module, call.function):
        return method != "run_sync"
    # `self.session.scalars(select(...))`: what it is given tells.
    return method in UNMISTAKABLE and any(
        project.resolve(module, inner.callee) in EXPRESSIONS or _built_of(project, module, inner)
        for inner in call.inner
    )


def _built_of(project: Project, module: ModuleSyntax, call: CallSyntax, depth: int = 0) -> bool:
    """Return whether a call goes on from an SQL expression: `select(...).where(...)`."""
    if not call.callee.startswith(".") or depth > DEEPEST or not call.inner:
        return False
    first = call.inner[0]
    return project.resolve(module, first.callee) in EXPRESSIONS or _built_of(
        project, module, first, depth + 1
    )


def query_finding(module: ModuleSyntax, call: CallSyntax, slug: str, message: str) -> PolicyFinding:
    """Make the finding of a query that belongs in a service."""
    fix = "move the query to a service, and pass it the session"
    return module.finding(call.place, slug, message, fix)
