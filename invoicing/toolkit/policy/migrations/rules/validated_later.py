"""`validated-later`: a constraint of a table that is there is validated by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "validated-later"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find constraints that are checked under their lock."""
    for action in steps_on_old_tables(revision):
        if action.verb == "create" and action.kind == "constraint" and is_checked(action.traits):
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is " + checked(action.traits),
                HOW["unique" in action.traits],
            )


HOW = {
    False: "add it with postgresql_not_valid=True, and VALIDATE CONSTRAINT in the next revision",
    True: "build a unique index concurrently, then ADD CONSTRAINT ... USING INDEX",
}


def is_checked(traits: frozenset[str]) -> bool:
    """Tell whether adding a constraint reads the table."""
    return not traits & {"not-valid", "using"}


def checked(traits: frozenset[str]) -> str:
    """Say what happens while the lock is held."""
    if "unique" in traits:
        return "added with its index, which is built while reads and writes wait"
    return "checked on every row while writes wait"


KEY = 'op.create_foreign_key("fk", "invoice", "account", ["a"], ["id"]{})'
CHECK = 'op.create_check_constraint("ck", "invoice", "a > 0"{})'
NOT_VALID = ", postgresql_not_valid=True"
BACK = 'op.drop_constraint("fk", "invoice")'
BAD = {
    "a foreign key": migration(KEY.format(""), BACK),
    "a check": migration(CHECK.format(""), 'op.drop_constraint("ck", "invoice")'),
    "a unique one": migration('op.create_unique_constraint("fk", "invoice", ["a"])', BACK),
    "by SQL": migration('op.execute("ALTER TABLE invoice ADD CONSTRAINT fk CHECK (a > 0)")', BACK),
    "a primary key": migration('op.create_primary_key("fk", "invoice", ["a"])', BACK),
}
GOOD = {
    "a foreign key": migration(KEY.format(NOT_VALID), BACK),
    "a check": migration(CHECK.format(NOT_VALID), 'op.drop_constraint("ck", "invoice")'),
    "by SQL": migration(
        'op.execute("ALTER TABLE invoice ADD CONSTRAINT fk CHECK (a > 0) NOT VALID")', BACK
    ),
    "of an index": migration(
        'op.execute("ALTER TABLE invoice ADD CONSTRAINT fk UNIQUE USING INDEX ix")', BACK
    ),
    "of a new table": migration(
        'op.create_table("invoice", sa.Column("a", sa.BigInteger()))\n' + CHECK.format(""),
        'op.drop_table("invoice")',
    ),
}

RULE = Rule(
    SLUG,
    "a constraint of a table that is there is added NOT VALID, and validated later",
    "Adding it reads every row. Takes SHARE ROW EXCLUSIVE for a foreign key, on both tables, else "
    "ACCESS EXCLUSIVE: blocks writes, or reads as well. NOT VALID takes it for an instant, and "
    "VALIDATE CONSTRAINT blocks neither.",
    BAD,
    GOOD,
    check,
)
