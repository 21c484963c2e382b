"""`volatile-default`: a new column's default is the same for all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "volatile-default"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find defaults that are computed for each row."""
    for action in steps_on_old_tables(revision):
        if action.verb == "create" and action.kind == "column" and "volatile" in action.traits:
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is added with a default computed for each row: a rewrite",
                "add it without, fill it in batches, and set the default for new rows",
            )


BAD = {
    "a uuid": migration(
        'op.add_column("invoice", sa.Column("a", sa.Uuid(), '
        'server_default=sa.text("gen_random_uuid()")))',
        'op.drop_column("invoice", "a")',
    ),
    "by func": migration(
        'op.add_column("invoice", sa.Column("a", sa.Uuid(), '
        "server_default=sa.func.gen_random_uuid()))",
        'op.drop_column("invoice", "a")',
    ),
    "an identity": migration(
        'op.add_column("invoice", sa.Column("a", sa.BigInteger(), sa.Identity()))',
        'op.drop_column("invoice", "a")',
    ),
    "by SQL": migration('op.execute("ALTER TABLE invoice ADD a float DEFAULT random()")', "pass"),
    "a serial": migration('op.execute("ALTER TABLE invoice ADD a bigserial")', "pass"),
}
GOOD = {
    "a constant": migration(
        'op.add_column("invoice", sa.Column("a", sa.Text(), server_default="x"))',
        'op.drop_column("invoice", "a")',
    ),
    "now()": migration(
        'op.add_column("invoice", sa.Column("a", sa.DateTime(timezone=True), '
        "server_default=sa.func.now()))",
        'op.drop_column("invoice", "a")',
    ),
    "in the model only": migration(
        'op.add_column("invoice", sa.Column("a", sa.Uuid(), default=uuid4))',
        'op.drop_column("invoice", "a")',
    ),
    "by SQL": migration('op.execute("ALTER TABLE invoice ADD a int DEFAULT 0")', "pass"),
}

RULE = Rule(
    SLUG,
    "a new column's default needs no value of its own for each row",
    "A constant, or now(), is written down once; a random value is written into every row while "
    "the table cannot be read. Takes ACCESS EXCLUSIVE: blocks reads and writes for the rewrite.",
    BAD,
    GOOD,
    check,
)
