"""`online-rename`: a column or a table with readers is not renamed in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action, shown
from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "online-rename"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find renames that running code does not survive."""
    for action in steps_on_old_tables(revision):
        if action.verb == "rename" and action.kind in {"column", "table"}:
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is renamed in one step: code that runs still names it",
                how(action),
            )


def how(action: Action) -> str:
    """Say how it is done with code running."""
    old, new = shown(action.name), shown(action.becomes)
    if action.kind == "column":
        return f"run: invoicing rename expand {shown(action.table)} {old} {new}"
    return f"leave a view {old} of {new} in its place"


BAD = {
    "a column": migration(
        'op.alter_column("invoice", "amt", new_column_name="amount")',
        'op.alter_column("invoice", "amount", new_column_name="amt")',
    ),
    "a table": migration(
        'op.rename_table("invoice", "bill")', 'op.rename_table("bill", "invoice")'
    ),
    "a column by SQL": migration(
        'op.execute("ALTER TABLE invoice RENAME amt TO amount")',
        'op.execute("ALTER TABLE invoice RENAME amount TO amt")',
    ),
    "a table by SQL": migration(
        'op.execute("ALTER TABLE invoice RENAME TO bill")',
        'op.execute("ALTER TABLE bill RENAME TO invoice")',
    ),
}
GOOD = {
    "by our own": migration(
        'op.expand_rename("invoice", "amt", "amount", sa.BigInteger())',
        'op.rollback_rename("invoice", "amt", "amount", sa.BigInteger())',
    ),
    "an index": migration(
        'op.execute("ALTER INDEX ix RENAME TO ix_a")', 'op.execute("ALTER INDEX ix_a RENAME TO ix")'
    ),
    "a constraint": migration(
        'op.execute("ALTER TABLE invoice RENAME CONSTRAINT a TO b")',
        'op.execute("ALTER TABLE invoice RENAME CONSTRAINT b TO a")',
    ),
    "a new table": migration(
        'op.create_table("note", sa.Column("id", sa.BigInteger()))\n'
        'op.rename_table("note", "memo")',
        'op.drop_table("memo")',
    ),
}

RULE = Rule(
    SLUG,
    "a column or a table is renamed in steps, while old and new code run",
    "RENAME takes an instant, and from then on every statement of the code that still runs fails. "
    "Takes ACCESS EXCLUSIVE for that instant, behind whatever reads the table. `invoicing rename` "
    "keeps both names until the old one has no reader.",
    BAD,
    GOOD,
    check,
)
