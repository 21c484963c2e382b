"""See which attributes a program reads of the objects it has loaded.

SQLAlchemy has no event for the reading of what is there. So the attributes of the classes concerned
get another descriptor in front of their own while a recording runs: it notes the object and passes
everything on. The last recording takes it away again. What the ORM itself reads goes by other ways
and is not noted; nor is what a program takes out of an object's `__dict__`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.base import DEFAULT_STATE_ATTR as STATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.orm import Mapper, MapperProperty

    # Primary keys, and not the objects: those are to live no longer than without us.
    Keys = set[tuple[Any, ...]]
    # With the session that the object belonged to then; None after it.
    Seen = set[tuple[int | None, tuple[Any, ...]]]

NOTED = 50_000
LOCK = threading.Lock()


class Watched:
    """A descriptor in front of a mapped attribute's own."""

    __slots__ = ("attribute", "name", "seen")

    def __init__(self, attribute: InstrumentedAttribute[Any]) -> None:
        self.attribute = attribute
        # What is there is taken from where the attribute itself takes it: a call less.
        own = type(attribute).__get__ is InstrumentedAttribute.__get__
        self.name = attribute.key if own and attribute.impl.supports_population else None
        # One for each recording; replaced as a whole, as other threads may be walking through it.
        self.seen: tuple[Seen, ...] = ()

    def __get__(self, instance: object, owner: Any = None) -> Any:
        if instance is None:
            return self.attribute.__get__(None, owner)
        values = instance.__dict__
        state = values.get(STATE)
        if state is not None:
            key = state.key
            if key is not None:
                for seen in self.seen:
                    if len(seen) < NOTED:
                        seen.add((state.session_id, key[1]))
            name = self.name
            if name in values:
                return values[name]
        return self.attribute.__get__(instance, owner)

    def __set__(self, instance: object, value: object) -> None:
        self.attribute.__set__(instance, value)

    def __delete__(self, instance: object) -> None:
        self.attribute.__delete__(instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.attribute, name)


class AttributeReads:
    """What one recording has seen read."""

    def __init__(self) -> None:
        self._mappers: set[Mapper[Any]] = set()
        self._seen: dict[tuple[type, str], Seen] = {}
        self._roots: dict[tuple[type, str], str] = {}
        self._names: dict[tuple[type, str], str] = {}

    def watch(self, mapper: Mapper[Any]) -> None:
        """Note from now on what is read of objects of this class and of those below it."""
        if mapper in self._mappers:
            return
        self._mappers.add(mapper)
        with LOCK:
            for self_and_descendant in mapper.self_and_descendants:
                for prop in self_and_descendant.attrs:
                    # A class that inherits an attribute has a descriptor of its own for it.
                    self._watch(self_and_descendant.class_, prop)
                    self._watch(prop.parent.class_, prop)

    def _watch(self, owner: type, prop: MapperProperty[Any]) -> None:
        key = prop.key
        attribute = owner.__dict__.get(key)
        if (owner, key) in self._seen or attribute is None:
            return
        if isinstance(attribute, InstrumentedAttribute):
            attribute = Watched(attribute)
            # Not by the declarative class's own way, which would map the attribute anew.
            type.__setattr__(owner, key, attribute)
        if isinstance(attribute, Watched):
            seen: Seen = set()
            self._seen[owner, key] = seen
            self._roots[owner, key] = prop.parent.base_mapper.class_.__name__
            self._names[owner, key] = f"{prop.parent.class_.__name__}.{key}"
            attribute.seen = (*attribute.seen, seen)

    def stop(self) -> None:
        """Leave every class as it was found; what has been seen stays."""
        with LOCK:
            for (owner, key), seen in self._seen.items():
                attribute = owner.__dict__.get(key)
                if not isinstance(attribute, Watched):
                    continue
                attribute.seen = tuple(other for other in attribute.seen if other is not seen)
                if not attribute.seen:
                    type.__setattr__(owner, key, attribute.attribute)

    def index(self) -> ReadIndex:
        """Return what has been seen so far, to be asked often."""
        # Copies: other threads may still be reading objects.
        seen = {key: self._seen[key].copy() for key in tuple(self._seen)}
        return ReadIndex((self._names[key], self._roots[key], pairs) for key, pairs in seen.items())


class ReadIndex:
    """Which objects were read, by attribute, by class and by session: each is looked at once.

    Args:
        seen: `Model.attribute`, the name of its topmost mapped class, and what was seen of it.
    """

    def __init__(self, seen: Iterable[tuple[str, str, Seen]]) -> None:
        self._attributes: dict[str, dict[int | None, Keys]] = {}
        self._roots: dict[str, dict[int | None, Keys]] = {}
        self._unions: dict[tuple[bool, str, int | None], Keys] = {}
        for name, root, pairs in seen:
            of_name = self._attributes.setdefault(name, {})
            of_root = self._roots.setdefault(root, {})
            for owner, key in pairs:
                of_name.setdefault(owner, set()).add(key)
                of_root.setdefault(owner, set()).add(key)

    def knows(self, attribute: str) -> bool:
        """Return whether `Model.attribute` has been watched."""
        return attribute in self._attributes

    def of(self, attribute: str, session: int | None = None) -> Keys:
        """Return the primary keys of the objects of which `Model.attribute` was read.

        With a `session`, of its objects and of those that belong to none any more.
        """
        return self._union(False, attribute, session)

    def looked_at(self, root: str, session: int | None = None) -> Keys:
        """Return the primary keys of the objects of which anything was read.

        `root` is the name of their topmost mapped class; `session` as for `of`.
        """
        return self._union(True, root, session)

    def _union(self, by_root: bool, name: str, session: int | None) -> Keys:
        keys = self._unions.get((by_root, name, session))
        if keys is None:
            sessions = (self._roots if by_root else self._attributes).get(name, {})
            owners = tuple(sessions) if session is None else (None, session)
            keys = set().union(*(sessions.get(owner, ()) for owner in owners))
            self._unions[by_root, name, session] = keys
        return keys
