"""Tell from what the session hands to the connection why it sends a statement."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy.orm import Mapper, MapperProperty, RelationshipProperty

from invoicing.toolkit.profiling.statement import Cause, Identity, PathStep

if TYPE_CHECKING:
    from sqlalchemy.engine import ExecutionContext
    from sqlalchemy.orm import InstanceState

    from invoicing.toolkit.profiling.statement import Statement

LOADERS = ("selectin", "subquery", "immediate")
WRITES = ("flush", "autoflush")


class LoadCause(NamedTuple):
    """Why the ORM sends a statement.

    Attributes:
        relationship: `Model.attribute`, for the load of a relationship or of a single column.
        parent: whose relationship is loaded lazily, or whose columns are.
        is_column_load: whether columns of an object that is there are loaded.
        path: the loader's path, a row of mappers and relationships.
        parent_root: the topmost mapped class that `parent` inherits from.
        parent_class: the mapped class of `parent`.
    """

    relationship: str | None = None
    parent: Identity | None = None
    is_column_load: bool = False
    path: tuple[Any, ...] = ()
    parent_root: str = ""
    parent_class: type | None = None


PLAIN = LoadCause()


def load_cause_of(context: ExecutionContext) -> LoadCause | None:
    """Return why the ORM sends the SELECT that `context` executes; None for any other statement.

    These are the facts behind `ORMExecuteState.lazy_loaded_from`, `loader_strategy_path` and
    `is_column_load`. They are read here, and not in `do_orm_execute`, because a listener to that
    event makes the session prepare every statement twice.
    """
    options: Any = context.execution_options.get("_sa_orm_load_options")
    compiling: Any = getattr(context.invoked_statement, "_compile_options", None)
    if options is None or compiling is None:
        return None
    path = getattr(compiling, "_current_path", None)
    if path is None:
        # A SELECT of nothing mapped, that a session executes.
        return PLAIN
    lazy = options._lazy_loaded_from
    if lazy is None and compiling._for_refresh_state:
        # Of an object that a loader brought, the path goes on from there.
        return _column_load(options, compiling)
    if path.is_root:
        return PLAIN
    if lazy is None:
        return LoadCause(relationship_at(path), path=path.path)
    root = lazy.mapper.base_mapper.class_.__name__
    return LoadCause(
        relationship_at(path),
        identity_of(lazy),
        path=path.path,
        parent_root=root,
        parent_class=lazy.mapper.class_,
    )


def parent_of(context: ExecutionContext) -> InstanceState[Any] | None:
    """Return the object of which `context` loads a relationship, or columns; None for others."""
    options: Any = context.execution_options.get("_sa_orm_load_options")
    parent: InstanceState[Any] | None = options and (
        options._lazy_loaded_from or options._refresh_state
    )
    return parent


def renews(context: ExecutionContext) -> bool:
    """Return whether a SELECT is to fill objects anew that are there (`populate_existing`)."""
    options: Any = context.execution_options.get("_sa_orm_load_options")
    return options is not None and bool(options._populate_existing)


def returning_of(context: ExecutionContext) -> bool | None:
    """Return whether the program itself asks what became of a row; None where it wrote the text.

    SQLAlchemy adds a RETURNING of its own, for keys and defaults.
    """
    statement: Any = getattr(context.compiled, "statement", None)
    returning = getattr(statement, "_returning", None)
    return None if returning is None else bool(returning)


def _column_load(options: Any, compiling: Any) -> LoadCause:
    state, names = options._refresh_state, compiling._only_load_props or ()
    if state is None:
        return LoadCause(is_column_load=True)
    name = f"{state.mapper.class_.__name__}.{next(iter(names))}" if len(names) == 1 else None
    root = state.mapper.base_mapper.class_.__name__
    return LoadCause(
        name,
        identity_of(state),
        is_column_load=True,
        parent_root=root,
        parent_class=state.mapper.class_,
    )


def cause_of(statement: Statement, cause: LoadCause | None) -> Cause:
    """Return why `statement` ran: what the session said, and which of its operations were on."""
    within = statement.within
    if cause is None:
        return Cause.FLUSH if any(function in WRITES for function in within) else Cause.STATEMENT
    loader = next((function for function in within if function in LOADERS), None)
    if loader is not None:
        statement.loader = loader
        return Cause.EAGER_LOAD
    if cause.is_column_load:
        return Cause.REFRESH if "refresh" in within[:1] else Cause.COLUMN_LOAD
    if cause.parent is not None:
        statement.loader = "lazy"
        return Cause.LAZY_LOAD
    return (
        Cause.GET
        if any(function in {"get", "merge"} for function in within[:1])
        else Cause.STATEMENT
    )


def relationships_on(path: tuple[Any, ...]) -> tuple[RelationshipProperty[Any], ...]:
    """Return the relationships on a loader's path."""
    return tuple(
        relationship for relationship in path if isinstance(relationship, RelationshipProperty)
    )


def steps_on(path: tuple[Any, ...]) -> tuple[PathStep, ...]:
    """Return them by name, and with the classes that they are of."""
    return tuple(
        step_of(relationship, path[place + 1 : place + 2])
        for place, relationship in enumerate(path)
        if isinstance(relationship, RelationshipProperty)
    )


@lru_cache(maxsize=1024)
def step_of(relationship: RelationshipProperty[Any], then: tuple[Any, ...] = ()) -> PathStep:
    """Return a relationship as a step; `then` is what stands after it on the path."""
    owner, target = relationship.parent.class_, relationship.mapper
    narrowed = bool(then) and then[0].mapper is not target and then[0].mapper.isa(target)
    return PathStep(
        f"{owner.__name__}.{relationship.key}",
        bool(relationship.uselist),
        owner,
        target.class_,
        then[0].mapper.class_ if narrowed else None,
    )


def relationship_at(path: Any) -> str | None:
    """Return the last relationship on a loader's path as `Model.attribute`; None for none."""
    for part in reversed(tuple(getattr(path, "path", path) or ())):
        if isinstance(part, MapperProperty):
            return f"{part.parent.class_.__name__}.{part.key}"
    return None


def identity_of(state: InstanceState[Any]) -> Identity:
    """Return which row an object stands for; without a key while it is pending."""
    key = state.identity
    mapper: Mapper[Any] = state.mapper
    return Identity(mapper.class_.__name__, tuple(key) if key is not None else ())
