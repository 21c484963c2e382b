"""`reversible-migration`: a downgrade takes back what its upgrade made, in an order that works.

What a helper of another file or an operation of one's own does is not seen: a downgrade with such a
step is not said to leave anything behind, unless asked to be strict.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action, alike, bare, equal, shown
from invoicing.toolkit.policy.migrations.examples.reversible import BAD, GOOD
from invoicing.toolkit.policy.migrations.rule import Rule, finding
from invoicing.toolkit.policy.migrations.state import MOST_UNKNOWN, State, after

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.migrations.revision import FunctionNode, Revision
    from invoicing.toolkit.policy.migrations.run import Run
    from invoicing.toolkit.policy.model import Finding

SLUG = "reversible-migration"
KINDS = {
    "table",
    "column",
    "index",
    "constraint",
    "type",
    "trigger",
    "extension",
    "function",
    "view",
    "sequence",
    "schema",
    "policy",
    "rule",
    "publication",
    "statistics",
    "collation",
}
POSTGRESQL_ONLY = {"type", "extension"}
BY_OPERATION = {"table", "column", "index", "constraint"}


def check(revision: Revision) -> Iterator[Finding]:
    """Compare each upgrade with its downgrade."""
    there = revision.node("upgrade")
    if not revision.is_migration or there is None:
        return
    if "downgrade" not in revision.names:
        if revision.run(there).actions:
            yield finding(
                revision,
                SLUG,
                (there.lineno, there.col_offset + 1),
                "there is no downgrade()",
                "write one that takes back what upgrade() does",
            )
        return
    for forth, back in revision.pairs():
        yield from check_pair(revision, forth, back)


def check_pair(revision: Revision, forth: FunctionNode, back: FunctionNode) -> Iterator[Finding]:
    """Say that a downgrade does nothing, always fails, or what it leaves behind."""
    made, undone = revision.run(forth), revision.run(back)
    if not made.actions:
        return
    if undone.raises is not None:
        yield finding(
            revision,
            SLUG,
            (undone.raises.lineno, undone.raises.col_offset + 1),
            f"{back.name}() always raises",
            f"take back what {forth.name}() does",
        )
    elif not undone.actions:
        yield finding(
            revision,
            SLUG,
            (back.lineno, back.col_offset + 1),
            f"{back.name}() does nothing",
            f"take back what {forth.name}() does: {summary(made)}",
        )
    else:
        yield from check_steps(revision, made, undone, back.name)


def summary(made: Run) -> str:
    """Name the first steps of an upgrade."""
    named = [action for action in made.actions if not action.implied]
    words = [f"{one.said} {shown(one.name)}".strip() if one.name else one.said for one in named]
    return ", ".join(list(dict.fromkeys(words))[:3]) + (", ..." if len(set(words)) > 3 else "")  # noqa: PLR2004


def check_steps(revision: Revision, made: Run, undone: Run, name: str) -> Iterator[Finding]:
    """Take the downgrade's steps over what the upgrade has made."""
    postgresql = revision.settings.dialect == "postgresql"
    there = after(made.actions)
    state = State(alike, [thing for thing in there.things if counts(thing, postgresql=postgresql)])
    opaque: Action | None = None
    for action in undone.actions:
        if action.verb == "opaque":
            opaque = opaque or action
        if action.said == "op.drop_constraint" and action.name is None:
            yield unnamed(revision, action)
        if postgresql and not (action.guarded or action.lenient or opaque):
            yield from out_of_order(revision, state, action)
        if action.verb == "create":
            # What was there before the upgrade is put in place of what the upgrade made.
            state.forget(action)
        else:
            state.apply(action)
    if max(state.unknown, there.unknown) > MOST_UNKNOWN:
        opaque = opaque or undone.actions[0]
    if opaque is None:
        yield from (left(revision, thing, name) for thing in remaining(state))
    elif revision.settings.strict and state.things:
        yield finding(
            revision,
            SLUG,
            (opaque.line, opaque.column),
            f"what {opaque.said} does cannot be seen",
            f"say in {name}() itself that {state.things[0].called} is dropped",
        )


def remaining(state: State) -> list[Action]:
    """List what stays; an index is not said where its table stays too."""
    said = [thing for thing in state.things if not thing.implied or thing.kind == "type"]
    inside = State(state.match, said)
    for thing in said:
        if thing.kind in {"table", "column"}:
            for number in inside.along(replace(thing, verb="drop")):
                inside.take(number)
    return inside.things


def counts(thing: Action, *, postgresql: bool) -> bool:
    """Tell whether a downgrade has to drop this thing."""
    if thing.kind not in KINDS or thing.temporary or (thing.name or "") == HOLE:
        return False
    return postgresql or thing.kind not in POSTGRESQL_ONLY


def left(revision: Revision, thing: Action, name: str) -> Finding:
    """Say what stays behind."""
    what = thing.called + (
        " (which PostgreSQL keeps when its table is dropped)" if thing.implied else ""
    )
    return finding(
        revision,
        SLUG,
        (thing.line, thing.column),
        f"{name}() does not drop {what}",
        f"add {mend(thing)} to {name}()",
    )


def mend(thing: Action) -> str:
    """Write the step that drops a thing."""
    name, table = shown(thing.name), shown(thing.table)
    if thing.kind not in BY_OPERATION:
        on = f" ON {table}" if thing.table else ""
        return f'op.execute("DROP {thing.kind.upper()} {name}{on}")'
    first = f'"{table}", ' if thing.kind == "column" else ""
    last = f', "{table}"' if thing.kind in {"index", "constraint"} and thing.table else ""
    return f'op.drop_{thing.kind}({first}"{name}"{last})'


def unnamed(revision: Revision, action: Action) -> Finding:
    """Say that a constraint without a name cannot be dropped."""
    return finding(
        revision,
        SLUG,
        (action.line, action.column),
        "op.drop_constraint(None) fails: it cannot know the constraint's name",
        "name the constraint where it is created, and here",
    )


def out_of_order(revision: Revision, state: State, action: Action) -> Iterator[Finding]:
    """Say that a drop fails: something needs the thing still, or has taken it along already."""
    if action.verb != "drop" or HOLE in (action.name or HOLE):
        return
    place = action.line, action.column
    users = iter(()) if action.cascade else state.users(action)
    for user in islice(users, 1):
        yield finding(
            revision,
            SLUG,
            place,
            f"{action.called} is dropped while {user.called} still needs it",
            f"drop {user.called} first",
        )
    for thing, by in state.gone.get((action.kind, bare(action.name or "")), ()):
        named = equal(thing.name, action.name) and equal(thing.table, action.table or thing.table)
        if named and not by.guarded and not state.has(thing):
            yield finding(
                revision,
                SLUG,
                place,
                f"{action.called} is dropped after {by.called}, which has taken it along",
                f"drop {action.called} first, or leave it out",
            )
            return


RULE = Rule(
    SLUG,
    "downgrade() drops what upgrade() creates, in an order that works",
    "A deployment that goes wrong at night is taken back with `alembic downgrade`. A downgrade "
    "that is empty, raises or forgets a type leaves a schema that no revision describes: the next "
    "upgrade fails on what is left.",
    check,
    BAD,
    GOOD,
)
