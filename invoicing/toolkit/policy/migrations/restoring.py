"""Whether a downgrade gives back what its upgrade dropped, renamed or changed.

The state of the schema is built up revision by revision, as far as the steps of their upgrades can
be read. Over it, those of one upgrade and then of its downgrade are taken; what was there before
has to be there again, with each aspect of its definition that is known on both sides. A thing that
no revision here has made is known by what is done to it only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action, bare, shown
from invoicing.toolkit.policy.migrations.relabelling import relabelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Key = tuple[str, str, str]
ON_TABLES = {"column", "constraint", "trigger", "policy", "rule"}
KINDS = ON_TABLES | {
    "table", "index", "type", "extension", "function", "view", "sequence", "schema", "domain",
}  # fmt: skip
UNKNOWN = "?"
# The aspects that name columns.
COVERING = {"columns", "include", "predicate", "condition"}
NAMES, TEXT = re.compile(r"\w+"), re.compile(r"'[^']*'")
# Their values are words enough: NOT NULL, not unique.
SAY_THEMSELVES = {"nullable", "unique", "validity", "deferrable"}
TRUTHS = ({"0", "false"}, {"1", "true"}, {"f", "false"}, {"t", "true"})


@dataclass
class Thing:
    """One thing of the schema.

    Attributes:
        called: how to call it.
        table: the table it is on.
        facts: the aspects of its definition that are known.
        columns: those it covers, where they are known.
    """

    called: str
    table: str
    facts: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()

    def copy(self) -> Thing:
        """Return another one of the same."""
        return Thing(self.called, self.table, dict(self.facts), self.columns)


class Schema:
    """What is known of a schema.

    Attributes:
        things: what is there.
        doubtful: what may or may not be there, or may have changed.
        first: the first step that touched a thing.
        assumed: what a step needs to have been there before, and no step has made.
        set: the aspects that steps have set, `*` for all of them.
        inline: columns that were made with a constraint or an index of theirs.
    """

    def __init__(self, things: dict[Key, Thing] | None = None) -> None:
        self.things = {key: thing.copy() for key, thing in (things or {}).items()}
        self.doubtful: set[Key] = set()
        self.first: dict[Key, Action] = {}
        self.assumed: dict[Key, Thing] = {}
        self.set: set[tuple[Key, str]] = set()
        self.inline: set[tuple[str, str]] = set()

    def near(self, actions: Iterable[Action]) -> dict[Key, Thing]:
        """Return the things that steps may be about, by their names and their tables."""
        names = {
            bare(name)
            for action in actions
            for name in (action.name, action.table, action.becomes)
            if name is not None
        }
        if any(HOLE in name for name in names):
            return dict(self.things)
        return {
            key: thing
            for key, thing in self.things.items()
            if key[2] in names or key[1] in names or thing.table in names
        }

    def follow(self, actions: tuple[Action, ...]) -> None:
        """Take the steps of an upgrade for good; what may or may not be so is forgotten."""
        touched = self.near(actions)
        after = Schema(touched)
        after.take(actions)
        for key in touched:
            del self.things[key]
        self.things |= {
            key: thing for key, thing in after.things.items() if key not in after.doubtful
        }

    def take(self, actions: Iterable[Action]) -> None:
        """Take the steps of an upgrade or a downgrade."""
        for action in actions:
            if action.kind not in KINDS or action.name is None or action.temporary:
                continue
            if HOLE in f"{action.name}{action.table}":
                self._doubt(action)
                continue
            key = key_of(action)
            if action.guarded:
                self.doubtful.add(key)
            self.first.setdefault(key, action)
            STEPS.get(action.verb, Schema.ignore)(self, key, action)

    def _doubt(self, action: Action) -> None:
        """Doubt whatever a step with an unknown name may be about."""
        near = bare(action.table or "")
        self.doubtful |= {
            key
            for key, thing in self.things.items()
            if key[0] == action.kind and (HOLE in near or thing.table in {near, ""} or not near)
        }

    def ignore(self, key: Key, action: Action) -> None:
        """Leave the schema as it is."""

    def create(self, key: Key, action: Action) -> None:
        """Put a thing there, in place of one of its name."""
        self.things[key] = Thing(
            action.called, bare(action.table or ""), dict(action.facts), covered(action)
        )
        self.set |= {(key, "*")}
        if "inline" in action.traits:
            self.inline.add((key[1], key[2]))

    def drop(self, key: Key, action: Action) -> None:
        """Take a thing away, and what goes with it."""
        if key not in self.things and not action.lenient:
            self.assume(key, action)
        self.things.pop(key, None)
        name = key[2]
        for other, thing in list(self.things.items()):
            is_on = action.kind in {"table", "view"} and thing.table == name
            covers = action.kind == "column" and thing.table == key[1] and name in thing.columns
            if is_on or covers:
                self.first.setdefault(other, action)
                self.doubtful |= {other} if action.guarded else set()
                del self.things[other]

    def assume(self, key: Key, action: Action) -> Thing:
        """Note that a thing has been there before; what it was is known by the step at most."""
        thing = Thing(action.called, bare(action.table or ""), dict(action.was))
        return self.assumed.setdefault(key, thing).copy()

    def change(self, key: Key, action: Action) -> None:
        """Change aspects of a thing."""
        if not action.facts:
            return
        thing = self.things.get(key)
        if thing is None:
            thing = self.things[key] = self.assume(key, action)
        for what, text in action.facts:
            aspect = "labels" if what == "relabel" else what
            if key in self.assumed:
                self.assumed[key].facts.setdefault(aspect, dict(action.was).get(aspect, UNKNOWN))
            if what == "relabel":
                thing.facts["labels"] = relabelled(thing.facts.get("labels"), text)
            else:
                thing.facts[aspect] = UNKNOWN if HOLE in text else text
            self.set.add((key, aspect))

    def rename(self, key: Key, action: Action) -> None:
        """Give a thing another name, and to what is on a table another table."""
        thing = self.things.pop(key, None) or self.assume(key, action)
        new = bare(action.becomes or HOLE)
        self.things[key[0], key[1], new] = thing
        self.first.setdefault((key[0], key[1], new), action)
        self.set.add(((key[0], key[1], new), "*"))
        for other, near in list(self.things.items()):
            if action.kind == "table" and near.table == key[2] and near is not thing:
                near.table = new
                if other[1] == key[2]:
                    self.things[other[0], new, other[2]] = self.things.pop(other)
                    if other in self.doubtful:
                        self.doubtful.add((other[0], new, other[2]))
            elif action.kind == "column" and near.table == key[1]:
                near.columns = tuple(new if name == key[2] else name for name in near.columns)


def covered(action: Action) -> tuple[str, ...]:
    """List the names in what an index or a constraint is made of: it goes with such a column."""
    if action.kind not in {"index", "constraint"}:
        return ()
    texts = [text for aspect, text in action.facts if aspect in COVERING]
    names = NAMES.findall(TEXT.sub("", " ".join((*(action.columns or ()), *texts))).lower())
    return tuple(dict.fromkeys(names))


STEPS = {
    "create": Schema.create,
    "drop": Schema.drop,
    "change": Schema.change,
    "retype": Schema.change,
    "rename": Schema.rename,
}


def key_of(action: Action) -> Key:
    """Return what a thing is found by."""
    on = bare(action.table or "") if action.kind in ON_TABLES else ""
    return action.kind, on, bare(action.name or "")


def unrestored(
    before: Schema, upgrade: tuple[Action, ...], downgrade: tuple[Action, ...]
) -> Iterator[tuple[Action, str, str]]:
    """Return what a downgrade does not give back: the step that took it, what, and what to do."""
    up = Schema(before.near((*upgrade, *downgrade)))
    up.take(upgrade)
    back = Schema(up.things)
    back.take(downgrade)
    doubtful = up.doubtful | back.doubtful
    for key, step in list(up.first.items()):
        was = before.things.get(key) or up.assumed.get(key)
        # What is made without OR REPLACE cannot have been there.
        is_new = step.verb == "create" and not step.lenient
        if was is None or key in doubtful or step.implied or is_new:
            continue
        now = back.things.get(key)
        if now is None:
            if not is_part(key, up, back) and not may_be_implied(key, was, back):
                yield step, f"does not bring back {was.called}", f"create {was.called} again"
            continue
        yield from differing(key, step, was, now, back)


def is_part(key: Key, up: Schema, back: Schema) -> bool:
    """Tell whether a thing is gone with its table, which is said."""
    table = ("table", "", key[1])
    return key[0] in ON_TABLES and table in up.first and table not in back.things


def may_be_implied(key: Key, was: Thing, back: Schema) -> bool:
    """Tell whether a naming convention may name what is made with a table or a column."""
    if key[0] not in {"constraint", "index"}:
        return False
    made = {each for each, aspect in back.set if aspect == "*"}
    with_table = key[0] == "constraint" and ("table", "", was.table) in made
    return with_table or any((was.table, column) in back.inline for column in was.columns)


def differing(
    key: Key, step: Action, was: Thing, now: Thing, back: Schema
) -> Iterator[tuple[Action, str, str]]:
    """Compare the aspects that are known on both sides."""
    for aspect, text in was.facts.items():
        here = now.facts.get(aspect)
        untouched = (key, aspect) not in back.set and (key, "*") not in back.set
        called, word = was.called, aspect.replace("_", " ")
        if text == UNKNOWN:
            if untouched:
                message = f"does not change the {word} of {called} back"
                yield step, message, "set it as it was before"
        elif here not in {None, UNKNOWN} and not alike(aspect, here or "", text):
            how = "" if aspect in SAY_THEMSELVES else f"with {word} "
            message = f"leaves {called} {how}{shown(here)}; it was {shown(text)}"
            yield step, message, f"make it {shown(text)}" if not how else f"set its {word} again"


def alike(aspect: str, here: str, before: str) -> bool:
    """Compare two texts of an aspect; a default may be written as a text or as SQL."""
    if aspect != "default":
        return here == before
    texts = [re.sub(r"[\s'()]", "", text) for text in (here, before)]
    return texts[0] == texts[1] or set(texts) in TRUTHS
