"""Count the different entities in the rows of a result, by their primary keys.

The objects themselves cannot say it: one that was in the session already is not loaded again, and
joined rows collapse into few. Where the primary key of each entity stands in the row is worked out
once for each statement's text.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Column
from sqlalchemy.orm import RelationshipProperty

from invoicing.profiling.model import KEPT_KEYS, EntityRows
from invoicing.profiling.origin import relationship_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Dialect, ExecutionContext


class EntityColumns(NamedTuple):
    """Where one entity's primary key stands in a row."""

    entity: str
    path: str | None
    collection: bool
    key: Callable[[Any], Any]
    single: bool
    processors: tuple[Callable[[Any], Any] | None, ...]

    def new(self) -> EntityRows:
        """Return a count of nothing yet."""
        return EntityRows(self.entity, self.path, self.collection, keys=set())

    def add(self, count: EntityRows, keys: list[Any]) -> None:
        """Count the `keys` of so many rows in; one of None is of a row without the entity."""
        if self.single:
            present = [key for key in keys if key is not None]
            found = {(key,) for key in present}
        else:
            present = [key for key in keys if None not in key]
            found = set(present)
        if any(self.processors):
            found = {self._processed(key) for key in found}
        count.rows += len(present)
        if count.keys is None:
            # Too many to tell old from new: the parts of a stream are taken to differ.
            count.distinct += len(found)
            return
        count.keys |= found
        count.distinct = len(count.keys)
        if count.distinct > KEPT_KEYS:
            count.keys = None

    def _processed(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            process(value) if process else value
            for process, value in zip(self.processors, key, strict=True)
        )


def entity_columns(context: ExecutionContext, dialect: Dialect) -> tuple[EntityColumns, ...]:
    """Return the entities in the rows of the ORM statement that `context` executes.

    Empty for a Core statement, and for one that selects columns of entities but no whole one.
    """
    compiled: Any = context.compiled
    attributes = getattr(getattr(compiled, "compile_state", None), "attributes", None)
    if not attributes:
        return ()
    places = _places(compiled)
    found = (
        _entity(path, setup, places, dialect)
        for (name, path), setup in attributes.items()
        if name == "memoized_setups"
    )
    return tuple(one for one in found if one is not None)


def _entity(
    path: Sequence[Any], setup: dict[Any, Any], places: dict[Any, int], dialect: Dialect
) -> EntityColumns | None:
    mapper = path[-1].mapper
    columns = [setup.get(mapper.get_property_by_column(one)) for one in mapper.primary_key]
    indexes = [places.get(column) for column in columns]
    if not indexes or None in indexes:
        return None
    above = path[-2] if len(path) > 1 and isinstance(path[-2], RelationshipProperty) else None
    return EntityColumns(
        mapper.class_.__name__,
        relationship_at(path[:-1]) if above is not None else None,
        bool(above is not None and above.uselist),
        itemgetter(*indexes),
        len(indexes) == 1,
        tuple(
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in mapper.primary_key
        ),
    )


def _places(compiled: Any) -> dict[Any, int]:  # noqa: ANN401 -- SQLCompiler of any dialect
    exact: dict[Any, int] = {}
    behind: dict[Any, int] = {}
    for index, entry in enumerate(compiled._result_columns):  # noqa: SLF001 -- no public way
        for column in entry.objects:
            if isinstance(column, Column) or hasattr(column, "proxy_set"):
                exact.setdefault(column, index)
                for base in column.proxy_set:
                    # A column of a subquery stands for the one it was selected from.
                    behind.setdefault(base, index)
    return behind | exact
