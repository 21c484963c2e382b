"""The loader option of a finding, as text to read and as an object to apply.

It goes on from the loaders that stand on its way by `defaultload`, which leaves them as they are:
their criteria, `of_type`, `contains_eager`, chunks and inner joins stay the program's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import inspect, orm

if TYPE_CHECKING:
    from sqlalchemy.sql.base import Executable

    from invoicing.toolkit.profiling.statement import Caller, PathStep


class OptionStep(NamedTuple):
    """A part of an option: `selectinload(Author.books)`.

    Attributes:
        loader: its name in `sqlalchemy.orm`.
        step: the relationship or column.
    """

    loader: str
    step: PathStep


@dataclass(frozen=True)
class Fix:
    """A loader option, and the statement that takes it.

    Attributes:
        path: its parts from the statement's entity on.
        at: the line of that statement; None where it is not known.
        tree: whether it goes on through all levels.
        root: as what the statement's entity is named there, if not by its class.
        subclass: a mapped class and the sub-class of it whose columns are loaded too.
        remove: whether its last part is to undo what the program asks for.
    """

    path: tuple[OptionStep, ...]
    at: Caller | None = None
    tree: bool = False
    root: str | None = None
    subclass: tuple[type, type] | None = None
    remove: bool = False

    def __str__(self) -> str:
        # Names of sub-classes are read off their parts of `with_polymorphic`.
        parts = [self._text(place) for place in range(len(self.path))]
        if self.subclass is None:
            return ".".join(parts)
        top, below = self.subclass
        columns = f"selectin_polymorphic({top.__name__}, [{below.__name__}])"
        if self.path and self.path[-1].loader != "defaultload":
            *parts, last = parts
            columns = f"{columns}, {last}"
        return ".".join([*parts, f"options({columns})"]) if parts else columns

    def applied_to(self, statement: Executable) -> Executable:
        """Return an ORM statement with the option, whichever alias of its entity it selects.

        A loader that stands at the end of its path is replaced, and keeps its criteria.
        """
        for option in self._options(_entities(statement)):
            statement = _with_option(statement, option)
        return statement

    def _text(self, place: int) -> str:
        loader, step = self.path[place]
        name = step.relationship
        if place == 0 and self.root is not None:
            name = f"{self.root}.{name.partition('.')[2]}"
        kind = self._of(place)
        of = f".of_type({kind.__name__})" if kind else ""
        return f"{loader}({name}{of}{', recursion_depth=-1' if self._recurses(place) else ''})"

    def _recurses(self, place: int) -> bool:
        return self.tree and place == len(self.path) - 1

    def _of(self, place: int) -> type | None:
        """Return the sub-class that the next part of the path begins at."""
        step = self.path[place].step
        if step.of is not None or place + 1 == len(self.path) or self.subclass is not None:
            return step.of
        below, target = self.path[place + 1].step.owner, step.target
        if below is None or target is None or below is target or not issubclass(below, target):
            return None
        return below

    def _options(self, entities: list[Any]) -> list[Any]:
        option: Any = None
        subclass, last = self.subclass, len(self.path) - 1
        own = subclass is not None and self.path[-1:] and self.path[-1].loader != "defaultload"
        for place in range(last if own else last + 1):
            option = self._add(option, place, entities)
        if subclass is None:
            return [option]
        leaves: list[Any] = [orm.selectin_polymorphic(subclass[0], [subclass[1]])]
        if own:
            leaves.append(self._add(None, last, entities))
        return leaves if option is None else [option.options(*leaves)]

    def _add(self, option: object, place: int, entities: list[Any]) -> object:
        loader, step = self.path[place]
        name = step.relationship.partition(".")[2]
        owner = step.owner if place else _entity_of(step.owner, entities)
        attribute = getattr(owner, name)
        of = self._of(place)
        settings = {"recursion_depth": -1} if self._recurses(place) else {}
        call = getattr(orm if option is None else option, loader)
        return call(attribute.of_type(of) if of else attribute, **settings)


@dataclass(frozen=True)
class JoinFix:
    """A join along a relationship, for a statement that selects both its sides.

    Attributes:
        step: the relationship.
        at: the line of that statement.
    """

    step: PathStep
    at: Caller | None = None

    def __str__(self) -> str:
        return f".join({self.step.relationship})"

    def applied_to(self, statement: Executable) -> Executable:
        """Return the statement with the join."""
        name = self.step.relationship.partition(".")[2]
        selected: Any = statement
        joined: Executable = selected.join(getattr(self.step.owner, name))
        return joined


def _with_option(statement: Executable, option: Any) -> Executable:
    # SQLAlchemy refuses two loaders at one path, so the one that is there gets another strategy.
    last = option.context[-1] if getattr(option, "context", ()) else None
    standing, replaced = [], False
    for other in getattr(statement, "_with_options", ()):
        context = getattr(other, "context", ())
        changed = tuple(
            _as(element, last.strategy) if last and _is_at(element, last) else element
            for element in context
        )
        copy = other
        if changed != context:
            copy, replaced = other._clone(), True
            copy.context = changed
        standing.append(copy)
    if not replaced:
        return statement.options(option)
    copied: Any = statement.options()
    copied._with_options = tuple(standing)
    changed_statement: Executable = copied
    return changed_statement


def _is_at(element: Any, last: Any) -> bool:
    if None in (element.strategy, last.strategy) or _properties(element) != _properties(last):
        return False
    # What stands below a path says which columns or sub-classes: `load_only`, `raiseload("*")`.
    tokens = any(isinstance(part, str) for part in (*element.path.path, *last.path.path))
    kinds = {each.strategy[0][0] for each in (element, last)}
    return not tokens and len(kinds) == 1


def _properties(element: Any) -> list[str]:
    return [str(part) for part in element.path.path if isinstance(part, orm.MapperProperty)]


def _as(element: Any, strategy: Any) -> Any:
    element = element._clone()
    element.strategy = strategy
    return element


def _entities(statement: object) -> list[Any]:
    described: Any = getattr(statement, "column_descriptions", None)
    if described is None:
        described = getattr(statement, "returning_column_descriptions", ())
    return [entry["entity"] for entry in described if entry.get("entity") is not None]


def _entity_of(owner: type | None, entities: list[Any]) -> object:
    """Return what a statement selects as `owner`: the class, an alias of it, or a part of that."""
    for entity in entities:
        found = inspect(entity)
        if not found.is_aliased_class:
            continue
        if owner is None or issubclass(found.mapper.class_, owner):
            return entity
        below = {mapper.class_ for mapper in found.with_polymorphic_mappers}
        if owner in below:
            return getattr(entity, owner.__name__)
    return owner
