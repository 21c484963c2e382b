"""`required-column`: a new column that may not be NULL has a default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "required-column"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find columns that old rows have no value for."""
    for action in steps_on_old_tables(revision):
        if action.verb == "create" and action.kind == "column" and is_required(action.traits):
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is added as NOT NULL without a default: it fails on rows",
                "add it with a server_default, or nullable, fill it, and require it later",
            )


def is_required(traits: frozenset[str]) -> bool:
    """Tell whether rows that are there have no value for a column."""
    return "required" in traits and "default" not in traits


BAD = {
    "added": migration(
        'op.add_column("invoice", sa.Column("a", sa.Text(), nullable=False))',
        'op.drop_column("invoice", "a")',
    ),
    "in a batch": migration(
        'with op.batch_alter_table("invoice") as batch:\n'
        '    batch.add_column(sa.Column("a", sa.Text(), nullable=False))',
        'op.drop_column("invoice", "a")',
    ),
    "by SQL": migration('op.execute("ALTER TABLE invoice ADD a text NOT NULL")', "pass"),
}
GOOD = {
    "with a default": migration(
        'op.add_column("invoice", sa.Column("a", sa.Text(), nullable=False, server_default=""))',
        'op.drop_column("invoice", "a")',
    ),
    "nullable": migration(
        'op.add_column("invoice", sa.Column("a", sa.Text()))', 'op.drop_column("invoice", "a")'
    ),
    "of a new table": migration(
        'op.create_table("note", sa.Column("id", sa.BigInteger()))\n'
        'op.add_column("note", sa.Column("a", sa.Text(), nullable=False))',
        'op.drop_table("note")',
    ),
    "by SQL": migration(
        "op.execute(\"ALTER TABLE invoice ADD a text NOT NULL DEFAULT ''\")", "pass"
    ),
}

RULE = Rule(
    SLUG,
    "a new column that may not be NULL has a default for the rows that are there",
    "ALTER TABLE fails as soon as the table has a row. It passes on the empty tables of a test, "
    "and stops the deployment. Takes ACCESS EXCLUSIVE, and blocks nothing, as it fails at once.",
    BAD,
    GOOD,
    check,
)
