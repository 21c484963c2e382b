"""Keep what a migration has made, and see what is left of it after its downgrade.

Things are found by name and by table, so that a revision of many thousand steps takes no longer
than its steps.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action, alike, bare, equal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Match = Callable[[str | None, str | None], bool]
    Index = defaultdict[str, dict[str, set[int]]]

# Names that are not known are compared with all others; a file with more of them is not read on.
MOST_UNKNOWN = 200
ON_TABLES = {"column", "index", "constraint", "trigger", "policy", "rule"}


class SchemaState:
    """What has been made and is still there.

    Attributes:
        match: how names are compared: surely the same, or perhaps.
        gone: what went with something else, and with what.
        missed: drops of what was not made here.
        unknown: how many steps had names that are not known.
    """

    def __init__(self, match: Match = equal, things: Iterable[Action] = ()) -> None:
        self.match = match
        self.gone: dict[tuple[str, str], list[tuple[Action, Action]]] = {}
        self.missed: list[Action] = []
        self.made: dict[int, Action] = {}
        self.count = 0
        self.unknown = 0
        self.index: Index = defaultdict(dict)
        for thing in things:
            self.put(thing)

    @property
    def things(self) -> list[Action]:
        """Give what is still there, in the order it was made."""
        return list(self.made.values())

    def put(self, thing: Action) -> None:
        """Add a thing and the ways to find it."""
        self.count += 1
        self.made[self.count] = thing
        for what, name in keys(thing):
            self.index[what].setdefault(name, set()).add(self.count)

    def take(self, number: int) -> Action:
        """Remove a thing."""
        thing = self.made.pop(number)
        for what, name in keys(thing):
            self.index[what].get(name, set()).discard(number)
        return thing

    def found(self, what: str, name: str | None) -> list[int]:
        """List what may have this name: those that are called so, and those with unknown names."""
        names = self.index[what]
        if name is None or HOLE in name:
            return sorted({number for numbers in names.values() for number in numbers})
        return sorted({*names.get(bare(name), ()), *names.get(HOLE, ())})

    def apply(self, action: Action) -> None:
        """Take one more step."""
        if action.name is None or HOLE in f"{action.name}{action.table}":
            self.unknown += 1
            if self.unknown > MOST_UNKNOWN:
                self.missed += [action] * (action.verb == "drop")
                return
        if action.verb == "create":
            self.create(action)
        elif action.verb == "drop":
            self.drop(action)
        elif action.verb == "rename":
            self.rename(action)

    def alike_to(self, action: Action) -> list[int]:
        """List the things a step is about."""
        where = [action.kind]
        if action.kind in ON_TABLES and plain(action.table) != HOLE:
            where = [f"{action.kind} on {plain(action.table)}", f"{action.kind} on {HOLE}"]
        candidates = sorted({number for what in where for number in self.found(what, action.name)})
        return [number for number in candidates if self.same(self.made[number], action)]

    def has(self, action: Action) -> bool:
        """Tell whether what a step is about was made here."""
        return bool(self.alike_to(action))

    def forget(self, action: Action) -> None:
        """Leave out what a step is about."""
        for number in self.alike_to(action):
            self.take(number)

    def create(self, action: Action) -> None:
        """Note what is made; made twice (in two branches, or replaced) it is one thing."""
        there = self.alike_to(action)
        if not there:
            self.put(action)
        elif self.made[there[0]].implied:
            self.take(there[0])
            self.put(action)

    def drop(self, action: Action) -> None:
        """Take away what is dropped, and what goes with it."""
        dropped = self.alike_to(action)
        exact = [number for number in dropped if equal(self.made[number].name, action.name)]
        if not dropped:
            self.missed.append(action)
        taken = exact or dropped
        for number in taken:
            self.take(number)
        for number in self.along(action):
            thing = self.take(number)
            key = thing.kind, bare(thing.name or "")
            self.gone.setdefault(key, []).append((thing, action))

    def along(self, action: Action) -> list[int]:
        """List what goes with a drop."""
        table = action.name if action.kind in {"table", "view"} else action.table
        near = self.found("on", table) if action.kind in {"table", "view", "column"} else []
        users = self.found(f"uses {action.kind}", action.name) if action.cascade else []
        return [
            number
            for number in sorted({*near, *users})
            if self.goes_with(self.made[number], action)
        ]

    def same(self, thing: Action, action: Action) -> bool:
        """Tell whether a step is about this thing."""
        if thing.kind != action.kind:
            return False
        on_table = thing.kind in ON_TABLES and thing.table and action.table
        if on_table and not self.match(thing.table, action.table):
            return False
        if thing.name is None or action.name is None:
            return self.match is alike and thing.kind == "constraint"
        return self.match(thing.name, action.name)

    def goes_with(self, thing: Action, action: Action) -> bool:
        """Tell whether dropping something else takes this thing along."""
        if (
            action.kind in {"table", "view"}
            and thing.kind in ON_TABLES
            and self.match(action.name, thing.table)
        ):
            return True
        if action.kind == "column" and thing.kind in {"index", "constraint"}:
            covers = thing.columns is None or any(
                self.match(action.name, column) for column in thing.columns
            )
            return covers and self.match(action.table, thing.table)
        if not action.cascade or thing.kind in {"table", "function", "type"}:
            return False
        return any(
            kind == action.kind and self.match(name, action.name) for kind, name in thing.uses
        )

    def rename(self, action: Action) -> None:
        """Give things the names they have after a rename."""
        about = self.alike_to(action)
        inside = self.found("on", action.name) if action.kind == "table" else []
        for number in sorted({*about, *inside}):
            thing = self.made[number]
            if number in about:
                self.put(replace(self.take(number), name=action.becomes))
            elif self.match(thing.table, action.name):
                self.put(replace(self.take(number), table=action.becomes))

    def users(self, action: Action) -> Iterator[Action]:
        """List what blocks a drop: what still needs the thing dropped."""
        for number in self.found(f"uses {action.kind}", action.name):
            thing = self.made[number]
            needs = any(
                kind == action.kind and equal(name, action.name) for kind, name in thing.uses
            )
            itself = thing.kind == action.kind and equal(thing.name, action.name)
            inside = action.kind == "table" and equal(thing.table, action.name)
            if needs and not itself and not inside:
                yield thing


def keys(thing: Action) -> Iterator[tuple[str, str]]:
    """Give what a thing is found by: its name, its table, and what it uses."""
    yield thing.kind, plain(thing.name)
    if thing.kind in ON_TABLES:
        yield f"{thing.kind} on {plain(thing.table)}", plain(thing.name)
    if thing.table is not None:
        yield "on", plain(thing.table)
    for kind, name in thing.uses:
        yield f"uses {kind}", plain(name)


def plain(name: str | None) -> str:
    """Give a name to look up; all unknown ones are one."""
    return HOLE if name is None or HOLE in name else bare(name)


def after(actions: list[Action]) -> SchemaState:
    """Take every step of an upgrade."""
    state = SchemaState()
    for action in actions:
        state.apply(action)
    return state
