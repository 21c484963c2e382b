"""Examples of `safe-migration`."""

from __future__ import annotations

from invoicing.toolkit.policy.migrations.examples.writing import migration

PATIENCE = (
    "op.execute(\"SET lock_timeout = '2s'\")\nop.execute(\"SET statement_timeout = '5min'\")\n"
)
OUTSIDE = "with op.get_context().autocommit_block():\n    "


def after_patience(upgrade: str) -> str:
    """Write a migration that waits for its locks two seconds at most."""
    return migration(PATIENCE + upgrade, "pass")


BAD = {
    "an index that blocks writers": after_patience('op.create_index("ix", "invoice", ["a"])'),
    "a foreign key checked under the lock": after_patience(
        'op.create_foreign_key("fk", "invoice", "account", ["a"], ["id"])'
    ),
    "a check checked under the lock": after_patience(
        'op.create_check_constraint("ck", "invoice", "a > 0")'
    ),
    "a new type": after_patience('op.alter_column("invoice", "a", type_=sa.BigInteger())'),
    "NOT NULL without a proof": after_patience('op.alter_column("invoice", "a", nullable=False)'),
    "a default computed for every row": after_patience(
        'op.add_column("invoice", sa.Column("b", sa.Uuid(), '
        'server_default=sa.text("gen_random_uuid()")))'
    ),
    "no lock_timeout": migration('op.add_column("invoice", sa.Column("b", sa.Text()))', "pass"),
}

GOOD = {
    "a new column": after_patience('op.add_column("invoice", sa.Column("b", sa.Text()))'),
    "a table of its own": after_patience(
        'op.create_table("t", sa.Column("id", sa.BigInteger(), primary_key=True))\n'
        'op.create_index("ix_t", "t", ["id"])'
    ),
    "an index beside the writers": after_patience(
        f'{OUTSIDE}op.create_index("ix", "invoice", ["a"], postgresql_concurrently=True)'
    ),
    "a check that is validated later": after_patience(
        'op.create_check_constraint("ck", "invoice", "a > 0", postgresql_not_valid=True)'
    ),
}
