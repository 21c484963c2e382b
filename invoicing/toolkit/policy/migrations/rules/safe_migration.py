"""`safe-migration`: what would lock or rewrite a large table, found by squawk (`squawk.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.squawk import SLUG
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.revision import Revision

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

RULE: Rule[Revision] = Rule(
    SLUG,
    "a migration neither blocks a large table for long nor rewrites it",
    "A statement that takes no time on an empty table holds its lock for minutes on a large one, "
    "and everything behind it waits. Squawk knows which statements do; this reads the SQL that "
    "Alembic writes, so that operations of one's own are seen too.",
    BAD,
    GOOD,
    needs="--sql",
)
