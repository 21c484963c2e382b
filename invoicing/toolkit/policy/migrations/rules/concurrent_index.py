"""`concurrent-index`: an index of a table that is there is built beside its writers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "concurrent-index"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find indexes that block writers."""
    for action in steps_on_old_tables(revision):
        if action.verb == "create" and action.kind == "index" and "concurrent" not in action.traits:
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is built while writes wait",
                "build it with postgresql_concurrently=True, in an autocommit_block()",
            )


OUTSIDE = "with op.get_context().autocommit_block():\n    "
BAD = {
    "by an operation": migration(
        'op.create_index("ix", "invoice", ["a"])', 'op.drop_index("ix", "invoice")'
    ),
    "a unique one": migration(
        'op.create_index("ix", "invoice", ["a"], unique=True)', 'op.drop_index("ix", "invoice")'
    ),
    "in a batch": migration(
        'with op.batch_alter_table("invoice") as batch:\n    batch.create_index("ix", ["a"])',
        'op.drop_index("ix", "invoice")',
    ),
    "by SQL": migration('op.execute("CREATE INDEX ix ON invoice (a)")', "op.drop_index('ix')"),
}
GOOD = {
    "by an operation": migration(
        f'{OUTSIDE}op.create_index("ix", "invoice", ["a"], postgresql_concurrently=True)',
        'op.drop_index("ix", "invoice")',
    ),
    "by SQL": migration(
        f'{OUTSIDE}op.execute("CREATE INDEX CONCURRENTLY ix ON invoice (a)")', "op.drop_index('ix')"
    ),
    "of a new table": migration(
        'op.create_table("note", sa.Column("id", sa.BigInteger()))\n'
        'op.create_index("ix", "note", ["id"])',
        'op.drop_table("note")',
    ),
    "of a new table by SQL": migration(
        'op.execute("CREATE TABLE note (id int); CREATE INDEX ix ON note (id)")',
        'op.drop_table("note")',
    ),
}

RULE = Rule(
    SLUG,
    "an index of a table that is there is built concurrently",
    "Building an index reads the whole table. Takes SHARE: blocks every write until it is done. "
    "Concurrently it takes SHARE UPDATE EXCLUSIVE, which blocks neither reads nor writes.",
    BAD,
    GOOD,
    check,
)
