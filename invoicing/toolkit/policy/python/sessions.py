"""Which names are sessions, and which calls are queries: by annotations and by what made them.

A name that only sounds like a session is none: `requests` and `aiohttp` have sessions too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.python.project import MappedClass, Project
    from invoicing.toolkit.policy.python.syntax import CallSyntax, FunctionSyntax, ModuleSyntax

SYNC_SESSIONS = {
    "sqlalchemy.orm.Session",
    "sqlalchemy.orm.scoped_session",
    "sqlmodel.Session",
}
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
ENGINES = {"sqlalchemy.ext.asyncio.create_async_engine", "sqlalchemy.create_engine"}
# The session that blocks, as run_sync gives it to what it calls.
GIVEN = ":sync"
QUERIES = {
    "execute", "scalar", "scalars", "stream", "stream_scalars", "get", "get_one", "query",
    "refresh", "merge", "exec", "exec_driver_sql", "scalar_one", "add", "add_all", "delete",
    "bulk_save_objects", "bulk_insert_mappings", "bulk_update_mappings",
}  # fmt: skip
# Methods that nothing but a session has.
UNMISTAKABLE = {"scalars", "stream_scalars", "execute", "scalar", "stream", "exec"}
# An expression built by more calls than this is not followed.
DEEPEST = 30
EXPRESSIONS = {
    f"sqlalchemy.{name}" for name in ("select", "insert", "update", "delete", "text", "exists")
} | {"sqlalchemy.future.select", "sqlmodel.select", "sqlalchemy.dialects.postgresql.insert"}


def made_by(project: Project, module: ModuleSyntax, call: CallSyntax) -> str:
    """Return what a call makes things of: with `class_=AsyncSession` a sessionmaker is async."""
    made = project.resolve(module, call.callee) or ""
    if not made:
        return ""
    given = call.keywords.get("class_")
    if made == "sqlalchemy.orm.sessionmaker" and given is not None and given.name:
        is_async = is_kind_of(project, module, given.name, ASYNC_SESSIONS)
        return "sqlalchemy.ext.asyncio.async_sessionmaker" if is_async else made
    return made


def session_names(project: Project, module: ModuleSyntax, call: CallSyntax) -> set[str]:
    """Return the names that are sessions where a call stands, those of self as `self.session`."""
    known = project.notes.setdefault("sessions", {})
    key = (module.path, call.function, call.class_name)
    if key not in known:
        names = _session_names(project, module, call.function)
        known[key] = names | _of_self(project, module, call.class_name)
    names_there: set[str] = known[key]
    return names_there


def sessions_of_class(project: Project, owner: MappedClass) -> set[str]:
    """Return the attributes of self that are sessions, as `self.session`."""
    return _of_self(project, owner.module, owner.syntax.name)


def possible_session_names(module: ModuleSyntax, function: int) -> set[str]:
    """Return the parameters that only their names say to be sessions."""
    untyped = module.functions[function].untyped
    return {name for name in untyped if name == "session" or name.endswith("_session")}


def scopes(module: ModuleSyntax, function: int) -> Iterator[FunctionSyntax]:
    """Return a function, those it stands in, and the module."""
    while function:
        yield module.functions[function]
        function = module.functions[function].parent
    yield module.functions[0]


def _session_names(project: Project, module: ModuleSyntax, function: int) -> set[str]:
    sessions: set[str] = set()
    for scope in reversed([*scopes(module, function)]):
        # Its own parameters hide what is outside.
        sessions -= scope.parameters
        said_by = [*scope.sessions.items(), *scope.injected.items()]
        sessions |= {name for name, said in said_by if is_session(project, module, said)}
        sessions |= scope.untyped & _used_as_sessions(project, module).get(id(scope), set())
        sessions |= project.notes.get("given sessions", {}).get(id(scope), set())
        for name, bound in scope.names.items():
            said = bound if isinstance(bound, str) else f"{bound.callee}()"
            # Another name for one of them, or a call that makes one.
            if said in sessions or (said.endswith("()") and is_session(project, module, said)):
                sessions.add(name)
    return sessions


def _of_self(project: Project, module: ModuleSyntax, name: str | None) -> set[str]:
    owner = project.classes.get(f"{module.module}.{name}") if name else None
    if owner is None:
        return set()
    return {
        f"self.{attribute}"
        for each in project.ancestors(owner)[0]
        for attribute, said in each.syntax.instance.items()
        if is_session(project, each.module, said) and not said.startswith("self.")
    }


def is_session(project: Project, module: ModuleSyntax, said_by: str) -> bool:
    """Return whether an annotation, or a call with `()` behind it, says of something it is one."""
    known = project.notes.setdefault("says session", {})
    key = (module.path, said_by)
    if key not in known:
        known[key] = _says_session(project, module, said_by)
    is_so: bool = known[key]
    return is_so


def _says_session(project: Project, module: ModuleSyntax, said_by: str) -> bool:
    if said_by == GIVEN:
        return True
    name, is_call, _ = said_by.partition("()")
    if is_kind_of(project, module, name, SESSIONS):
        return True
    return bool(is_call) and (
        _makes_sessions(project, module, name) or _returns_session(project, module, name)
    )


def is_kind_of(project: Project, module: ModuleSyntax, name: str, kinds: set[str]) -> bool:
    """Return whether a name is one of these classes, or inherits one of them."""
    if project.resolve(module, name) in kinds:
        return True
    owner = project.class_of(module, name)
    return owner is not None and bool(kinds & set(project.ancestors(owner)[1]))


def _makes_sessions(project: Project, module: ModuleSyntax, name: str) -> bool:
    """Tell of `sessions = async_sessionmaker(...)`, then `async with sessions() as session`."""
    head, _, method = name.rpartition(".")
    engine = module.functions[0].names.get(head)
    if method in {"begin", "connect"} and engine is not None and not isinstance(engine, str):
        made = project.resolve(module, engine.callee)
        return made in ENGINES or (method == "begin" and made in MAKERS)
    plain = name.removesuffix(".begin")
    owner, _, last = (project.resolve(module, plain) or "").rpartition(".")
    home = project.module(owner) or module
    maker = home.functions[0].names.get(last or plain) or module.functions[0].names.get(plain)
    if maker is not None and not isinstance(maker, str):
        return project.resolve(home, maker.callee) in MAKERS
    return plain.startswith("self.") and any(
        said.partition("()")[0] and project.resolve(each, said.partition("()")[0]) in MAKERS
        for each in [module]
        for syntax in each.classes
        for attribute, said in syntax.instance.items()
        if plain == f"self.{attribute}"
    )


def _returns_session(project: Project, module: ModuleSyntax, name: str) -> bool:
    """Tell of a function that says it returns, or yields, a session; or that does."""
    owner, _, last = (project.resolve(module, name) or "").rpartition(".")
    home = project.module(owner) or module
    known = project.notes.setdefault("returned", {})
    if home.path not in known:
        functions = [each for each in home.functions if each.returns and not each.class_name]
        known[home.path] = {each.name: each.returns for each in functions}
    returned = known[home.path].get(last)
    if returned is not None and is_kind_of(project, home, returned, SESSIONS):
        return True
    asked = project.notes.setdefault("asked", {})
    if (home.path, last) in asked:
        return False
    asked[home.path, last] = True
    does = any(
        home.functions[number].gives & _session_names(project, home, number)
        for number in _giving(project, home).get(last, ())
    )
    del asked[home.path, last]
    return does


def _giving(project: Project, module: ModuleSyntax) -> dict[str, list[int]]:
    """Return the numbers of a module's functions that return or yield a name, by their own."""
    known: dict[str, dict[str, list[int]]] = project.notes.setdefault("giving", {})
    if module.path not in known:
        by_name = known[module.path] = {}
        for number, function in enumerate(module.functions):
            if function.gives and not function.class_name:
                by_name.setdefault(function.name, []).append(number)
    return known[module.path]


def is_query(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    """Return whether a call sends a query by a session or a connection."""
    receiver, _, method = call.callee.rpartition(".")
    if method not in QUERIES or not receiver:
        return False
    if receiver in session_names(project, module, call):
        return True
    # `self.session.scalars(select(...))`: what it is given tells.
    return method in UNMISTAKABLE and _is_given_sql(project, module, call)


def _used_as_sessions(project: Project, module: ModuleSyntax) -> dict[int, set[str]]:
    """Return the untyped parameters of each scope that are asked what only a session is.

    That is an expression of SQL for a method that nothing but a session has, or a class for
    `get`: a dictionary is not asked for `cls`.
    """
    known: dict[str, dict[int, set[str]]] = project.notes.setdefault("used as sessions", {})
    if module.path not in known:
        used = known[module.path] = {}
        for call in module.calls:
            receiver, _, method = call.callee.rpartition(".")
            if receiver.isidentifier() and _asks_a_session(project, module, call, method):
                for scope in scopes(module, call.function):
                    if receiver in scope.bound:
                        again = receiver in scope.names
                        used.setdefault(id(scope), set()).update(set() if again else {receiver})
                        break
    return known[module.path]


def _asks_a_session(project: Project, module: ModuleSyntax, call: CallSyntax, method: str) -> bool:
    if method in UNMISTAKABLE:
        return _is_given_sql(project, module, call)
    if method not in {"get", "get_one", "query"} or not call.arguments:
        return False
    asked = call.arguments[0]
    if asked is None or (asked == "cls" and call.class_name is None):
        return False
    owner = project.class_of(module, asked if asked != "cls" else str(call.class_name))
    return owner is not None and project.is_mapped(owner)


def _is_given_sql(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    return any(_is_expression(project, module, inner) for inner in call.inner) or any(
        _is_bound(project, module, call, name) for name in call.arguments if name
    )


def _is_bound(project: Project, module: ModuleSyntax, call: CallSyntax, name: str) -> bool:
    """Return whether a name stands for a statement."""
    for scope in scopes(module, call.function):
        bound = scope.names.get(name)
        if bound is not None and not isinstance(bound, str):
            return _is_expression(project, module, bound)
    return False


def _is_expression(project: Project, module: ModuleSyntax, call: CallSyntax) -> bool:
    return project.resolve(module, call.callee) in EXPRESSIONS or _built_of(project, module, call)


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
    return PolicyFinding(module.path, call.place.line, call.place.column + 1, slug, message, fix)
