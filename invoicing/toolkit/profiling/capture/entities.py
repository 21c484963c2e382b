"""Count the different entities in the rows of a result, by their primary keys.

The objects themselves cannot say it: one that was in the session already is not loaded again, and
joined rows collapse into few. Where the primary key of each entity stands in the row is worked out
once for each statement's text.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Column

from invoicing.toolkit.profiling.capture.cause import (
    relationship_at,
    relationships_on,
    step_of,
    steps_on,
)
from invoicing.toolkit.profiling.statement import KEPT_KEYS, EntityRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Dialect, ExecutionContext
    from sqlalchemy.orm import Mapper, RelationshipProperty

    from invoicing.toolkit.profiling.statement import PathStep

# Rows looked at to see how large values are, and from which length on they are large.
SAMPLED, LARGE = 10, 1000


class EntityColumns(NamedTuple):
    """Where one entity's primary key stands in a row.

    Attributes:
        columns: place in the row and `Model.attribute` of each of its columns.
        joined: whether a joined loader brings it.
        name, steps, targets, alias, widens: see `EntityRows`; the same for all rows of the
            statement's text.
    """

    mapper: Mapper[Any]
    relationships: tuple[RelationshipProperty[Any], ...]
    path: tuple[Any, ...]
    joined: bool
    columns: dict[int, str]
    key: Callable[[Any], Any]
    single: bool
    processors: tuple[Callable[[Any], Any] | None, ...]
    name: str | None
    steps: tuple[PathStep, ...]
    targets: dict[str, list[tuple[PathStep, int | None]]]
    alias: bool
    widens: bool

    def new(self, owner: int) -> EntityRows:
        """Return a count of nothing yet."""
        return EntityRows(
            self.mapper.class_.__name__,
            self.name,
            bool(self.relationships and self.relationships[-1].uselist),
            root=self.mapper.base_mapper.class_.__name__,
            joined=self.joined,
            owner=owner,
            columns=len(self.columns),
            steps=self.steps,
            targets=self.targets,
            mapped=self.mapper.class_,
            alias=self.alias,
            widens=self.widens,
            keys=set(),
        )

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
    locks = getattr(compiled.statement, "_for_update_arg", None) is not None
    widens = _is_select(compiled.compile_state) and not locks
    found = (
        _entity(path, setup, places, attributes, dialect, widens)
        for (name, path), setup in attributes.items()
        if name == "memoized_setups"
    )
    return tuple(entity for entity in found if entity is not None)


def _is_select(compile_state: object) -> bool:
    """Return whether it is a SELECT of the ORM's own: no `from_statement`, no RETURNING."""
    return type(compile_state).__name__.endswith("ORMSelectCompileState")


def new_counts(columns: tuple[EntityColumns, ...]) -> tuple[EntityRows, ...]:
    """Return counts of nothing yet, each knowing its owner's place."""
    places = {column.path: place for place, column in enumerate(columns)}
    return tuple(column.new(places.get(column.path[:-2], -1)) for column in columns)


def _entity(
    path: tuple[Any, ...],
    setup: dict[Any, Any],
    places: dict[Any, int],
    attributes: dict[Any, Any],
    dialect: Dialect,
    widens: bool,
) -> EntityColumns | None:
    mapper = path[-1].mapper
    columns = [setup.get(mapper.get_property_by_column(column)) for column in mapper.primary_key]
    indexes = [places.get(column) for column in columns]
    if not indexes or None in indexes:
        return None
    return EntityColumns(
        mapper,
        relationships_on(path),
        path,
        # Set by the joined loader; `contains_eager` sets another.
        ("eager_row_processor", path[:-1]) in attributes,
        {
            places[column]: f"{attribute.parent.class_.__name__}.{attribute.key}"
            for attribute, column in setup.items()
            if column in places
        },
        itemgetter(*indexes),
        len(indexes) == 1,
        tuple(
            column.type.dialect_impl(dialect).result_processor(dialect, None)
            for column in mapper.primary_key
        ),
        relationship_at(path[:-1]) if relationships_on(path) else None,
        steps_on(path),
        _targets(mapper, setup, places),
        path[0].is_aliased_class,
        widens,
    )


def _targets(
    mapper: Mapper[Any], setup: dict[Any, Any], places: dict[Any, int]
) -> dict[str, list[tuple[PathStep, int | None]]]:
    found: dict[str, list[tuple[PathStep, int | None]]] = {}
    for relationship in mapper.relationships:
        if not relationship.uselist:
            (column, *_) = relationship.local_columns
            place = places.get(setup.get(mapper.get_property_by_column(column)))
            found.setdefault(relationship.mapper.class_.__name__, []).append(
                (step_of(relationship), place)
            )
    return found


def _places(compiled: Any) -> dict[Any, int]:
    exact: dict[Any, int] = {}
    behind: dict[Any, int] = {}
    for index, entry in enumerate(compiled._result_columns):
        for column in entry.objects:
            if isinstance(column, Column) or hasattr(column, "proxy_set"):
                exact.setdefault(column, index)
                for base in column.proxy_set:
                    # A column of a subquery stands for the one it was selected from.
                    behind.setdefault(base, index)
    return behind | exact


def count_rows(
    columns: tuple[EntityColumns, ...], counts: tuple[EntityRows, ...], keys: list[list[Any]]
) -> None:
    """Count rows in: `keys` has, for each entity, its primary key in each of the rows."""
    for entity, count, own in zip(columns, counts, keys, strict=True):
        entity.add(count, own)
        if count.collection and count.owner >= 0:
            # Two parts of a stream share no more than the parent at which it was cut.
            pairs = set(zip(keys[count.owner], own, strict=True))
            count.links += sum(pair[1] is not None for pair in pairs)


def large_columns(rows: Sequence[Any]) -> set[int]:
    """Return the places of columns with large values, of which the first rows have one."""
    return {
        place
        for row in rows[:SAMPLED]
        for place, value in enumerate(row)
        if isinstance(value, (str, bytes)) and len(value) >= LARGE
    }


def size_of(rows: Sequence[Any], column: int) -> int:
    """Return the characters or bytes in one column of `rows`, judged by the first of them."""
    sample = [row[column] for row in rows[:SAMPLED]]
    return sum(map(len, filter(None, sample))) * len(rows) // len(sample)
