"""`drop-and-add`: a column that is dropped while one of its type is added may have been renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import bare, shown
from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.actions import ColumnType
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "drop-and-add"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find pairs of columns of one table, of which one goes and the other comes."""
    steps = [step for step in steps_on_old_tables(revision) if step.kind == "column"]
    types = dropped_types(revision)
    for dropped in (step for step in steps if step.verb == "drop"):
        key = bare(dropped.table or ""), bare(dropped.name or "")
        for added in (step for step in steps if step.verb == "create"):
            same = added.new is not None and added.new == types.get(key)
            if same and bare(added.table or "") == key[0] and bare(added.name or "") != key[1]:
                old, new, table = shown(dropped.name), shown(added.name), shown(dropped.table)
                yield revision.finding(
                    SLUG,
                    (dropped.line, dropped.column),
                    f"{dropped.called} is dropped and {new} added, both {added.new}: its values go",
                    f"if it is a rename, run: invoicing rename expand {table} {old} {new}",
                )


def dropped_types(revision: Revision) -> dict[tuple[str, str], ColumnType | None]:
    """Return the types that downgrade() gives to the columns it brings back."""
    node = revision.node("downgrade")
    return {
        (bare(step.table or ""), bare(step.name or "")): step.new
        for step in (revision.run(node).actions if node is not None else ())
        if step.verb == "create" and step.kind == "column"
    }


def pair(old: str, new: str, kind: str, back: str) -> str:
    """Write a revision that drops a column and adds another."""
    return migration(
        f'op.drop_column("invoice", "{old}")\nop.add_column("invoice", sa.Column("{new}", {kind}))',
        f'op.drop_column("invoice", "{new}")\nop.add_column("invoice", sa.Column("{old}", {back}))',
    )


BAD = {
    "equal types": pair("amt", "amount", "sa.BigInteger()", "sa.BigInteger()"),
    "equal lengths": pair("memo", "note", "sa.String(50)", "sa.String(length=50)"),
    "by SQL": migration(
        'op.execute("ALTER TABLE invoice DROP amt, ADD amount bigint")',
        'op.execute("ALTER TABLE invoice DROP amount, ADD amt bigint")',
    ),
}
GOOD = {
    "other types": pair("amt", "sent_at", "sa.DateTime(timezone=True)", "sa.BigInteger()"),
    "other lengths": pair("memo", "code", "sa.String(3)", "sa.String(50)"),
    "another table": migration(
        'op.drop_column("invoice", "a")\nop.add_column("account", sa.Column("b", sa.Text()))',
        'op.drop_column("account", "b")\nop.add_column("invoice", sa.Column("a", sa.Text()))',
    ),
    "added again": pair("a", "a", "sa.Text()", "sa.Text()"),
}

RULE = Rule(
    SLUG,
    "no column is dropped while another of its type is added to its table",
    "Autogenerate sees no renames: it drops the old column with its values and adds the new one, "
    "empty. Nothing fails, and the values are gone.",
    BAD,
    GOOD,
    check,
)
