"""Tell from what the session says of itself why it sends a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Mapper, MapperProperty

from invoicing.profiling.model import Cause, Identity

if TYPE_CHECKING:
    from sqlalchemy.orm import InstanceState, ORMExecuteState

    from invoicing.profiling.draft import Draft
    from invoicing.profiling.model import Statement

LOADERS = ("selectin", "subquery", "immediate")
WRITES = ("flush", "autoflush")


class Origin:
    """What `Session.execute` knew when it was about to send a statement.

    Attributes:
        session: `Session.hash_key`.
        relationship: `Model.attribute`, for the load of a relationship.
        parent: whose relationship is loaded lazily.
        is_column_load: whether columns of an object that is there are loaded.
        draft: what is noted of the statement sent for it, once it is sent.
    """

    __slots__ = ("draft", "is_column_load", "parent", "relationship", "session")

    def __init__(self, state: ORMExecuteState) -> None:
        self.session: int = state.session.hash_key
        self.relationship: str | None = None
        self.parent: Identity | None = None
        self.is_column_load = False
        self.draft: Draft | None = None
        path = state.loader_strategy_path if state.is_orm_statement else None
        if path is None:
            return
        if path.is_root:
            self.is_column_load = state.is_column_load
            return
        self.relationship = relationship_at(path)
        lazy = state.lazy_loaded_from
        if lazy is not None:
            self.parent = identity_of(lazy)


def cause_of(statement: Statement, origin: Origin | None) -> Cause:
    """Return why `statement` ran: what the session said, and which of its operations were on."""
    within = statement.within
    if origin is None:
        return Cause.FLUSH if any(one in WRITES for one in within) else Cause.STATEMENT
    loader = next((one for one in within if one in LOADERS), None)
    if loader is not None:
        statement.loader = loader
        return Cause.EAGER_LOAD
    if origin.parent is not None:
        statement.loader = "lazy"
        return Cause.LAZY_LOAD
    if origin.is_column_load:
        return Cause.REFRESH if "refresh" in within[:1] else Cause.COLUMN_LOAD
    return Cause.GET if any(one in {"get", "merge"} for one in within[:1]) else Cause.STATEMENT


def relationship_at(path: Any) -> str | None:  # noqa: ANN401 -- a PathRegistry or its plain path
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
