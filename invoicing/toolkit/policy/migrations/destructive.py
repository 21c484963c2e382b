"""`destructive-flagged`: a migration that loses data says DESTRUCTIVE in its docstring.

A new type is compared with `existing_type`, or with what earlier revisions say (`check_history`);
where neither is known, nothing is said. A DROP that loses no rows (an index, a view, a trigger) is
no loss.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action, ColumnType, shown
from invoicing.toolkit.policy.migrations.examples.destructive import BAD, GOOD
from invoicing.toolkit.policy.migrations.narrowing import narrows
from invoicing.toolkit.policy.migrations.rule import Rule, finding
from invoicing.toolkit.policy.migrations.sql import HOLDS_DATA
from invoicing.toolkit.policy.migrations.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.migrations.revision import Revision
    from invoicing.toolkit.policy.model import Finding

SLUG = "destructive-flagged"
MEND = "say DESTRUCTIVE in the docstring, and what is lost"
FLAG = re.compile(r"(?<![\w-])DESTRUCTIVE\b(?!\s*:\s*(?:no|none|nothing|false)\b)")


def flagged(revision: Revision) -> bool:
    """Tell whether the docstring says that data is lost."""
    return FLAG.search(revision.header) is not None


def check(revision: Revision) -> Iterator[Finding]:
    """Look for steps of upgrade() that lose data."""
    if not revision.is_migration or flagged(revision):
        return
    names = [name for name in revision.names if name == "upgrade" or name.startswith("upgrade_")]
    seen = set()
    for name in names if revision.by_database else ["upgrade"]:
        node = revision.node(name)
        for action, said in losses(revision, revision.run(node).actions) if node else ():
            if (action.line, said) not in seen:
                seen.add((action.line, said))
                yield finding(revision, SLUG, (action.line, action.column), said, MEND)


def losses(revision: Revision, actions: list[Action]) -> Iterator[tuple[Action, str]]:
    """Give the steps that lose data which was there before the upgrade."""
    state = State()
    for action in actions:
        missed = len(state.missed)
        new_table = has(state, "table", action.name)
        fresh = new_column(state, action)
        state.apply(action)
        if action.verb == "drop" and len(state.missed) > missed:
            if (action.kind in HOLDS_DATA or takes_columns(action)) and not fresh:
                yield action, f"{action.called} is dropped" + cascaded(action)
        elif action.verb == "lose" and not new_table:
            yield action, f"{action.said} loses rows of {shown(action.name)}"
        elif action.verb == "retype" and action.new and action.old and not fresh:
            if narrows(action.old, action.new):
                yield action, narrowed(action, action.old)
        elif action.verb == "opaque" and action.name in revision.settings.destructive_operations:
            yield action, f"{action.said} loses data"


def cascaded(action: Action) -> str:
    """Say what a CASCADE does."""
    return "" if action.kind in HOLDS_DATA else " with what depends on it (CASCADE)"


def takes_columns(action: Action) -> bool:
    """Tell whether a drop takes the columns of a type along; CASCADE of a key takes no rows."""
    return action.cascade and action.kind in {"type", "extension"}


def narrowed(action: Action, old: ColumnType | None) -> str:
    """Say what a new type does to values."""
    return f"{action.called} becomes {action.new}, which cannot hold every {old}"


def new_column(state: State, action: Action) -> bool:
    """Tell whether a column's table was made by this upgrade, or the column itself."""
    return has(state, "table", action.table) or (action.kind == "column" and state.has(action))


def has(state: State, kind: str, name: str | None) -> bool:
    """Tell whether this upgrade has made something of this name."""
    return name is not None and state.has(Action("create", kind, name))


RULE = Rule(
    SLUG,
    "a migration that loses data says DESTRUCTIVE in its docstring",
    "A dropped column is gone for good: a downgrade adds it again, empty. Whoever runs the "
    "migration reads its docstring, not its operations; without the word nobody makes a backup.",
    check,
    BAD,
    GOOD,
)
