"""The loading strategies, as loader options along a path of relationships."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NoReturn

from sqlalchemy.orm import (
    Load,
    QueryableAttribute,
    immediateload,
    joinedload,
    lazyload,
    object_mapper,
    raiseload,
    selectinload,
    subqueryload,
)

from invoicing.toolkit.profiling.errors import LoadingPathError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import RelationshipProperty

    Attribute = QueryableAttribute[Any]
    Chain = tuple[Attribute, ...]


class Strategy(StrEnum):
    """A way to load a relationship; each is the name of SQLAlchemy's loader option."""

    SELECTIN = "selectinload"
    """One more statement for each 500 parents."""
    JOINED = "joinedload"
    """A LEFT OUTER JOIN in the same statement."""
    SUBQUERY = "subqueryload"
    """One more statement that repeats the first as a subquery."""
    LAZY = "lazyload"
    """A statement for each parent, when it is asked for."""
    IMMEDIATE = "immediateload"
    """A statement for each parent, at once."""
    RAISE = "raiseload"
    """None: asking for it raises."""
    AGGREGATE = "one statement"
    """What the program writes itself, for the figures it wants and no objects."""

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        known = ", ".join(strategy for strategy in cls if strategy is not cls.AGGREGATE)
        message = f"unknown strategy {value!r}; expected one of: {known}"
        raise ValueError(message)


_OPTIONS: dict[Strategy, Any] = {
    Strategy.SELECTIN: selectinload,
    Strategy.JOINED: joinedload,
    Strategy.SUBQUERY: subqueryload,
    Strategy.LAZY: lazyload,
    Strategy.IMMEDIATE: immediateload,
    Strategy.RAISE: raiseload,
}
LOADERS = tuple(_OPTIONS)


def chains_of(path: Attribute | Chain | Sequence[Attribute | Chain]) -> tuple[Chain, ...]:
    """Return the chains of relationships in `path`: siblings in a list, steps in a tuple.

    Raises:
        LoadingPathError: something in it is no relationship, or does not follow from the one
            before it.
    """
    siblings = path if isinstance(path, list) else [path]
    chains = tuple(sibling if isinstance(sibling, tuple) else (sibling,) for sibling in siblings)
    if not chains or not all(chains):
        raise LoadingPathError("nothing", "empty")
    for chain in chains:
        _check(chain)
    return chains


def _check(chain: Chain) -> None:
    for place, attribute in enumerate(chain):
        prop: Any = getattr(attribute, "property", None)
        if not isinstance(attribute, QueryableAttribute) or not hasattr(prop, "uselist"):
            raise LoadingPathError(str(attribute), "no relationship of a mapped class")
        if place and not relationship_of(chain[place - 1]).mapper.isa(prop.parent):
            raise LoadingPathError(str(attribute), f"no relationship of what {chain[place - 1]} is")


def relationship_of(attribute: Attribute) -> RelationshipProperty[Any]:
    """Return the relationship behind a class's attribute."""
    prop: Any = attribute.property
    found: RelationshipProperty[Any] = prop
    return found


def options_for(strategy: Strategy, chains: tuple[Chain, ...]) -> list[Load]:
    """Return the loader options that load all of `chains` in one way."""
    options = []
    for chain in chains:
        option = _OPTIONS[strategy](chain[0])
        for attribute in chain[1:]:
            option = getattr(option, strategy.value)(attribute)
        options.append(option)
    return options


def load_all(parents: Sequence[Any], chains: tuple[Chain, ...]) -> list[Any]:
    """Touch everything that `chains` lead to, and return what was found of each parent.

    The primary keys, nested: equal for equal objects, whoever loaded them.
    """
    return [(_key(parent), [_below(parent, chain) for chain in chains]) for parent in parents]


def _below(owner: object, chain: Chain) -> list[Any]:
    value = getattr(owner, chain[0].key)
    if value is None:
        return []
    members = [value] if not relationship_of(chain[0]).uselist else list(value)
    found = [
        (_key(member), _below(member, chain[1:]) if len(chain) > 1 else []) for member in members
    ]
    return sorted(found, key=repr)


def _key(owner: object) -> tuple[Any, ...]:
    mapper = object_mapper(owner)
    return (mapper.base_mapper.class_.__name__, *mapper.primary_key_from_instance(owner))


def children_of(loaded: list[Any]) -> int:
    """Return how many related objects were loaded, each once for every parent it has."""
    return sum(_count(chain) for _, chains in loaded for chain in chains)


def product_of(loaded: list[Any]) -> int:
    """Return how many rows one join of everything has: siblings multiply each other."""
    rows = 0
    for _, chains in loaded:
        product = 1
        for chain in chains:
            product *= max(_leaves(chain), 1)
        rows += product
    return rows


def _count(members: list[Any]) -> int:
    return sum(1 + _count(below) for _, below in members)


def _leaves(members: list[Any]) -> int:
    return sum(max(_leaves(below), 1) for _, below in members)
