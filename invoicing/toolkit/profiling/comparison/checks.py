"""What is compared has to be the loading of something: parents that are selected, and are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select

from invoicing.toolkit.profiling.comparison.strategies import relationship_of
from invoicing.toolkit.profiling.errors import LoadingStatementError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.profiling.comparison.measured import Measured
    from invoicing.toolkit.profiling.comparison.strategies import Chain


def check_statement(statement: object, chains: tuple[Chain, ...]) -> None:
    """Refuse what does not select objects that each chain begins at.

    Raises:
        LoadingStatementError: it is no select, or one of columns or of another class.
    """
    parents = [relationship_of(chain[0]).parent for chain in chains]
    name = parents[0].class_.__name__
    advice = f"Write: select({name})"
    if not isinstance(statement, Select):
        if callable(statement):
            return
        reason = f"a {type(statement).__name__} is no statement"
        raise LoadingStatementError(reason, f"{advice}, or a function that makes it of a size")
    first: dict[str, Any] = statement.column_descriptions[0]
    entity = first["entity"]
    if entity is None or first["expr"] is not entity:
        reason = f"the statement selects {first['name'] or 'an expression'}, and no objects"
        raise LoadingStatementError(reason, advice)
    mapper = getattr(entity, "__mapper__", None)
    for chain, parent in zip(chains, parents, strict=True):
        if mapper is not None and not (mapper.isa(parent) or parent.isa(mapper)):
            selected = mapper.class_.__name__
            reason = f"the statement selects {selected}, and {chain[0]} is not of {selected}"
            raise LoadingStatementError(reason, f"Write: select({parent.class_.__name__})")


def check_parents(measured: Sequence[Measured]) -> None:
    """Refuse a comparison of nothing, which would recommend a strategy all the same.

    Raises:
        LoadingStatementError: no strategy has loaded a parent.
    """
    loaded = [row.parents for row in measured if row.raised is None]
    if loaded and not any(loaded):
        raise LoadingStatementError(
            "the statement selects no rows, so there is nothing to load",
            "Widen it, or name a database that has some: DATABASE_URL",
        )
