"""What is restored of constraints, defaults and rights, however the table was written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.test_restoring import said

if TYPE_CHECKING:
    from pathlib import Path

AWAY = 'op.drop_table("note")\nop.drop_table("person")'
PERSON = 'op.create_table("person", sa.Column("id", sa.Integer(), primary_key=True))\n'
NOTE = """
op.create_table(
    "note",
    sa.Column("id", sa.Integer(), primary_key=True),
    {column},
    sa.Column("kind", sa.Text(), server_default="New"),
    {part}
)
"""
PLAIN = 'sa.Column("by", sa.Integer())'
PART = 'sa.ForeignKeyConstraint(["by"], ["person.id"], name="fk"{}),'
INLINE = 'sa.Column("by", sa.Integer(), sa.ForeignKey("person.id", name="fk"{}))'
UNIQUE = 'sa.UniqueConstraint("by", name="uq"{}),'
KEY = 'op.create_foreign_key("fk", "note", "person", ["by"], ["id"]{})'
SQL_KEY = (
    'op.execute("ALTER TABLE note ADD CONSTRAINT fk FOREIGN KEY (by) REFERENCES person (id){}")'
)
DROP = 'op.drop_constraint("fk", "note")'
CASCADE, WAITS = ', ondelete="CASCADE"', ', deferrable=True, initially="DEFERRED"'
SETS = 'op.alter_column("note", "kind", server_default={})'
SECURE = 'op.execute("ALTER TABLE note {} ROW LEVEL SECURITY")'
# The table before, the upgrade, a downgrade that restores, and one that does not.
CASES = {
    "a part with a rule": (PLAIN, PART.format(CASCADE), DROP, KEY.format(CASCADE), KEY.format("")),
    "a part without one": (PLAIN, PART.format(""), DROP, KEY.format(""), KEY.format(CASCADE)),
    "inline, with a rule": (INLINE.format(CASCADE), "", DROP, KEY.format(CASCADE), KEY.format("")),
    "a part that waits": (PLAIN, PART.format(WAITS), DROP, KEY.format(WAITS), KEY.format("")),
    "again by SQL": (
        PLAIN, PART.format(WAITS), DROP, SQL_KEY.format(" DEFERRABLE INITIALLY DEFERRED"),
        SQL_KEY.format(" NOT DEFERRABLE"),
    ),
    "to another table": (
        PLAIN, PART.format(""), DROP, KEY.format(""), KEY.format("").replace("person", "note"),
    ),
    "unique, and waits": (
        PLAIN, UNIQUE.format(", deferrable=True"), 'op.drop_constraint("uq", "note")',
        'op.create_unique_constraint("uq", "note", ["by"], deferrable=True)',
        'op.create_unique_constraint("uq", "note", ["by"])',
    ),
    "a default in capitals": (
        PLAIN, "", SETS.format("None"), SETS.format('"New"'), SETS.format('"new"'),
    ),
    "a default by SQL": (
        PLAIN, "", SETS.format("None"), SETS.format('''sa.text("'New'")'''),
        SETS.format('''sa.text("'new'")'''),
    ),
    "row security": (
        PLAIN, "", SECURE.format("ENABLE") + '\nop.add_column("note", sa.Column("b", sa.Text()))',
        SECURE.format("DISABLE") + '\nop.drop_column("note", "b")', 'op.drop_column("note", "b")',
    ),
    "a right": (
        PLAIN, "", 'op.execute("GRANT SELECT ON note TO PUBLIC")',
        'op.execute("REVOKE SELECT ON note FROM PUBLIC")', "pass",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_come_back_is_said(name: str, tmp_path: Path) -> None:
    column, part, up, good, bad = CASES[name]
    before = PERSON + NOTE.format(column=column, part=part), AWAY
    assert said(tmp_path / "good", before, (up, good)) == []
    assert said(tmp_path / "bad", before, (up, bad))
