"""The steps of an upgrade that a large table with traffic would feel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action
from invoicing.toolkit.policy.migrations.state import SchemaState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.migrations.revision import Revision


def steps_on_old_tables(revision: Revision) -> Iterator[Action]:
    """Return what upgrade() does to tables that were there before it, on PostgreSQL."""
    node = revision.node("upgrade")
    if not revision.is_migration or node is None or revision.settings.dialect != "postgresql":
        return
    made = SchemaState()
    for action in revision.run(node).actions:
        table = action.name if action.kind == "table" else action.table
        is_new = table is not None and made.has(Action("create", "table", table))
        made.apply(action)
        if not (is_new or action.implied or action.temporary) and HOLE not in (table or HOLE):
            yield action
