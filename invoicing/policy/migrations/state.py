"""Keep what a migration has made, and see what is left of it after its downgrade."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from invoicing.policy.migrations.actions import Action, alike, equal

Match = Callable[[str | None, str | None], bool]
ON_TABLES = {"column", "index", "constraint", "trigger", "policy", "rule"}


@dataclass
class State:
    """What has been made and is still there.

    Attributes:
        match: how names are compared; surely the same, or perhaps.
        things: the creating steps.
        gone: what went with something else, and with what.
        missed: drops of what was not made here.
    """

    match: Match = equal
    things: list[Action] = field(default_factory=list)
    gone: list[tuple[Action, Action]] = field(default_factory=list)
    missed: list[Action] = field(default_factory=list)

    def apply(self, action: Action) -> None:
        """Take one more step."""
        if action.verb == "create":
            self.create(action)
        elif action.verb == "drop":
            self.drop(action)
        elif action.verb == "rename":
            self.things = [self.renamed(thing, action) for thing in self.things]

    def create(self, action: Action) -> None:
        """Note what is made; made twice (in two branches, or replaced) it is one thing."""
        if not any(self.same(thing, action) for thing in self.things):
            self.things.append(action)

    def drop(self, action: Action) -> None:
        """Take away what is dropped, and what goes with it."""
        dropped = [thing for thing in self.things if self.same(thing, action)]
        exact = [thing for thing in dropped if equal(thing.name, action.name)]
        dropped = exact or dropped
        if not dropped:
            self.missed.append(action)
        kept = []
        for thing in self.things:
            if thing in dropped:
                continue
            if self.goes_with(thing, action):
                self.gone.append((thing, action))
            else:
                kept.append(thing)
        self.things = kept

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
        if action.kind == "table":
            return thing.kind in ON_TABLES and self.match(action.name, thing.table)
        if action.kind == "column" and thing.kind in {"index", "constraint"}:
            covered = thing.columns is None or any(self.match(action.name, one) for one in thing.columns)
            return covered and self.match(action.table, thing.table)
        if action.kind in {"schema", "database"} or not action.cascade:
            return action.cascade and "." in (thing.name or "")
        return any(kind == action.kind and self.match(name, action.name) for kind, name in thing.uses)

    def renamed(self, thing: Action, action: Action) -> Action:
        """Give a thing the name it has after a rename."""
        if action.kind == "table" and self.match(thing.table, action.name) and thing.table:
            return replace(thing, table=action.becomes)
        if self.same(thing, action):
            return replace(thing, name=action.becomes)
        return thing

    def users(self, action: Action) -> list[Action]:
        """List what stands in the way of a drop: what still needs the thing dropped."""
        needed = action.kind, action.name
        return [
            thing
            for thing in self.things
            if any(kind == needed[0] and equal(name, needed[1]) for kind, name in thing.uses)
            and not (thing.kind == action.kind and equal(thing.name, action.name))
            and not (action.kind == "table" and equal(thing.table, action.name))
        ]


def after(actions: list[Action]) -> State:
    """Take every step of an upgrade."""
    state = State()
    for action in actions:
        state.apply(action)
    return state
