"""What the hook says of a downgrade that does not restore, from the revisions before it.

The proof is the oracle: it judges the same cases by running them (`tests/proof/test_proof.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.policy.project import report_of
from tests.policy.test_history import FOLDER, step
from tests.proof.cases import BEFORE, CASES, sql

if TYPE_CHECKING:
    from pathlib import Path

# What they do to the rows, no text says.
BY_ROWS = {
    "NOT NULL again over NULLs",
    "a narrower text over long ones",
    "a smaller integer over large ones",
    "a smaller key over large ones",
    "a number over texts",
    "a label over rows that have it",
}
BASE = "\n".join(sql(" ".join(each.split())) for each in BEFORE.strip().split(";\n"))


def said(folder: Path, *revisions: tuple[str, str]) -> list[str]:
    """Return what is said of the last of revisions: its messages."""
    files = {}
    for number, (up, down) in enumerate(revisions):
        text = step(f"r{number}", f"r{number - 1}" if number else None, up, down)
        # Each thing of a case is called after its table.
        text = re.sub(r"(?<!\w)T(?=_|\W|$)", "thing", text)
        files[f"{FOLDER}/r{number}.py"] = text
    findings = report_of(folder, files, select=["reversible-migration"]).findings
    last = f"{FOLDER}/r{len(revisions) - 1}.py"
    return [finding.message for finding in findings if finding.path == last]


AWAY = "op.execute('DROP SCHEMA public CASCADE')"


@pytest.mark.parametrize("label", [label for label in CASES if label not in BY_ROWS])
def test_the_hook_says_what_the_proof_says(label: str, tmp_path: Path) -> None:
    up, bad, good, _ = CASES[label]
    assert said(tmp_path / "bad", (BASE, AWAY), (up, bad))
    assert said(tmp_path / "good", (BASE, AWAY), (up, good)) == []


USERS = """
op.create_table(
    "users",
    sa.Column("id", sa.BigInteger(), nullable=False),
    sa.Column("email", sa.String(length=255), nullable=False),
    sa.Column("name", sa.String(100), server_default="anon", comment="as they say it"),
    sa.Column("kind", sa.Enum("one", "two", name="kind")),
    sa.PrimaryKeyConstraint("id", name="pk_users"),
    sa.UniqueConstraint("email", "name", name="uq_users"),
    sa.CheckConstraint("email <> ''", name="ck_users"),
    comment="people",
)
op.create_table(
    "parts",
    sa.Column("id", sa.BigInteger(), sa.Identity(always=True)),
    sa.Column("price", sa.Integer()),
    sa.Column("gross", sa.Integer(), sa.Computed("price * 2", persisted=True)),
    sa.CheckConstraint("price > 0 OR gross IS NULL", name="ck_parts"),
)
op.create_index("ix_parts", "parts", ["id"], postgresql_where=sa.text("price > 5"))
op.create_index(
    "ix_email", "users", ["email"], postgresql_ops={"email": "text_pattern_ops"},
    postgresql_include=["name"],
)
op.execute("CREATE SEQUENCE number START WITH 1000 INCREMENT BY 5")
op.execute("CREATE MATERIALIZED VIEW sums AS SELECT id FROM users")
op.execute("CREATE UNIQUE INDEX ix_sums ON sums (id)")
op.create_index("ix_users", "users", [sa.text("lower(email)"), "name"], unique=True)
op.execute("CREATE VIEW named AS SELECT id, name FROM users")
"""
# Its index goes with a materialized view.
USERS_AWAY = """
op.execute("DROP VIEW named; DROP MATERIALIZED VIEW sums; DROP SEQUENCE number")
op.drop_table("parts")
op.drop_table("users")
op.execute("DROP TYPE kind")
"""
NAME_BACK = """
op.add_column(
    "users", sa.Column("name", sa.String(100), server_default="anon", comment="as they say it")
)
op.execute("CREATE VIEW named AS SELECT id, name FROM users")
"""
INDEX = 'op.create_index("ix_users", "users", [sa.text("lower(email)"), "name"], unique=True)'
EMAIL_INDEX = 'op.execute("CREATE INDEX ix_email ON users (email text_pattern_ops) INCLUDE (name)")'
KEY = 'op.create_unique_constraint("uq_users", "users", ["email", "name"])'
KIND_BACK = 'op.add_column("users", sa.Column("kind", sa.Enum("one", "two", name="kind")))'
X, X_AWAY = sql("CREATE TABLE x (id int)"), sql("DROP TABLE x")
# The upgrade; a downgrade that does not restore, and what is said of it; one that does.
UNEQUAL = {
    "an index without its uniqueness": (
        'op.drop_index("ix_users")',
        'op.execute("CREATE INDEX ix_users ON users (lower(email), name)")',
        "not unique; it was unique",
        'op.execute("CREATE UNIQUE INDEX ix_users ON users USING btree (LOWER(email), name)")',
    ),
    "a key of fewer columns": (
        'op.drop_constraint("uq_users", "users")',
        'op.create_unique_constraint("uq_users", "users", ["email"])',
        "columns email; it was email, name",
        'op.execute("ALTER TABLE users ADD CONSTRAINT uq_users UNIQUE (email, name)")',
    ),
    "a table without a column": (
        'op.execute("DROP VIEW named")\nop.drop_table("users")',
        USERS.replace('    sa.Column("email", sa.String(length=255), nullable=False),\n', ""),
        "does not bring back column users.email",
        USERS.replace('sa.Enum("one", "two", name="kind")', "Kept()"),
    ),
    "a default of another": (
        'op.alter_column("users", "name", server_default=None)',
        'op.alter_column("users", "name", server_default="unknown")',
        "default unknown; it was anon",
        "op.alter_column('users', 'name', server_default=sa.text(\"'anon'::varchar\"))",
    ),
    "a comment that goes": (
        "op.execute(\"COMMENT ON COLUMN users.name IS 'x'\")",
        'op.alter_column("users", "name", comment=None)',
        "comment none; it was as they say it",
        'op.alter_column("users", "name", comment="as they say it")',
    ),
    "labels in another order": (
        "op.execute(\"ALTER TYPE kind RENAME VALUE 'one' TO 'first'\")",
        "op.execute(\"ALTER TYPE kind RENAME VALUE 'first' TO 'ONE'\")",
        "labels ONE, two; it was one, two",
        "op.execute(\"ALTER TYPE kind RENAME VALUE 'first' TO 'one'\")",
    ),
    "a key that went with its column": (
        'op.execute("DROP VIEW named")\nop.drop_column("users", "name")',
        NAME_BACK,
        "does not bring back constraint uq_users on users",
        f"{NAME_BACK}\n{KEY}\n{INDEX}\n{EMAIL_INDEX}",
    ),
    "a class of its operators": (
        'op.drop_index("ix_email")',
        'op.create_index("ix_email", "users", ["email"], postgresql_include=["name"])',
        "columns email; it was email text_pattern_ops",
        EMAIL_INDEX,
    ),
    "what an index includes": (
        'op.execute("DROP INDEX ix_email")',
        'op.execute("CREATE INDEX ix_email ON users (email text_pattern_ops)")',
        "include none; it was name",
        EMAIL_INDEX,
    ),
    "where a sequence begins": (
        'op.execute("DROP SEQUENCE number")',
        'op.execute(sa.schema.CreateSequence(sa.Sequence("number", increment=5)))',
        "start 1; it was 1000",
        'op.execute(sa.schema.CreateSequence(sa.Sequence("number", 1000, 5)))',
    ),
    "an identity of the other kind": (
        'op.execute("ALTER TABLE parts ALTER id DROP IDENTITY")',
        'op.execute("ALTER TABLE parts ALTER id ADD GENERATED BY DEFAULT AS IDENTITY")',
        "identity by default; it was always",
        'op.execute("ALTER TABLE parts ALTER id ADD GENERATED ALWAYS AS IDENTITY")',
    ),
    "a computed column as a plain one": (
        'op.drop_column("parts", "gross")',
        'op.add_column("parts", sa.Column("gross", sa.Integer()))\nop.execute("CK")'.replace(
            "CK", "ALTER TABLE parts ADD CONSTRAINT ck_parts CHECK (price > 0 OR gross IS NULL)"
        ),
        "computed none; it was price * 2",
        ('op.execute("ALTER TABLE parts ADD gross int GENERATED ALWAYS AS (price * 2) STORED, ADD '
        'CONSTRAINT ck_parts CHECK (price > 0 OR gross IS NULL)")'),
    ),
    "a check and an index over several columns": (
        'op.drop_column("parts", "price")',
        'op.add_column("parts", sa.Column("price", sa.Integer()))',
        "does not bring back index ix_parts on parts",
        ('op.add_column("parts", sa.Column("price", sa.Integer()))\n'
        'op.create_check_constraint("ck_parts", "parts", "price > 0 OR gross IS NULL")\n'
        'op.create_index("ix_parts", "parts", ["id"], postgresql_where=sa.text("price > 5"))\n'),
    ),
    "a part of a list": (
        ('for name in ["a", "b"]:\n    op.alter_column("users", "email", comment=name)\n'
        'op.alter_column("users", "name", nullable=False)'),
        ('for name in ["email", "name"][:-1]:\n'
        '    op.alter_column("users", name, nullable=name == "name", comment=None)'),
        "leaves column users.name NOT NULL; it was NULL",
        ('op.alter_column("users", "email", comment=None)\n'
        'op.alter_column("users", ["email", "name"][-1], nullable=True)'),
    ),
    "what is known by the step only": (
        f'op.alter_column("old", "a", existing_nullable=True, nullable=False)\n{X}',
        X_AWAY,
        "leaves column old.a NOT NULL; it was NULL",
        'op.alter_column("old", "a", nullable=True)\nop.execute("DROP TABLE x")',
    ),
    "what nothing is known of": (
        'op.execute("ALTER TABLE old ALTER a SET DEFAULT 1, ALTER b SET DEFAULT 2")',
        'op.execute("ALTER TABLE old ALTER a DROP DEFAULT")',
        "does not change the default of column old.b back",
        'op.execute("ALTER TABLE old ALTER a DROP DEFAULT, ALTER b DROP DEFAULT")',
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", UNEQUAL)
def test_a_definition_comes_back_as_it_was(label: str, tmp_path: Path) -> None:
    up, bad, message, good = UNEQUAL[label]
    base = USERS, USERS_AWAY
    assert any(message in each for each in said(tmp_path / "bad", base, (up, bad)))
    assert said(tmp_path / "good", base, (up, good)) == []


QUIET = {
    "what may not have been there": (f"{sql('DROP TABLE IF EXISTS nothing')}\n{X}", X_AWAY),
    "what runs only sometimes": (
        f'if something():\n    op.drop_index("ix_users")\n{X}', X_AWAY
    ),
    "a name that is not known": (f"op.drop_index(name())\n{X}", X_AWAY),
    "a downgrade that cannot be seen": (
        'op.drop_index("ix_users")', 'put_back_indexes(op.get_bind())'
    ),
    "a table renamed there and back": (
        'op.rename_table("users", "people")\nop.drop_column("people", "kind")',
        f'op.rename_table("people", "users")\n{KIND_BACK}',
    ),
    "a type that cannot be compared": (
        'op.drop_column("users", "kind")', 'op.add_column("users", sa.Column("kind", Own()))'
    ),
}  # fmt: skip


@pytest.mark.parametrize("label", QUIET)
def test_what_is_not_known_is_not_said(label: str, tmp_path: Path) -> None:
    assert said(tmp_path, (USERS, USERS_AWAY), QUIET[label]) == []


def test_a_revision_that_says_what_it_does_not_restore_is_believed(tmp_path: Path) -> None:
    up, down = 'op.drop_index("ix_users")', 'op.create_index("b", "c", ["d"])'
    last = step("r1", "r0", up, down)
    for note, count in (("", 1), ("Not restored: index ix_users\n", 0)):
        files = {
            f"{FOLDER}/r0.py": step("r0", None, USERS, USERS_AWAY),
            f"{FOLDER}/r1.py": last.replace("Create Date", f"{note}Create Date"),
        }
        folder = tmp_path / str(count)
        assert len(report_of(folder, files, select=["reversible-migration"]).findings) == count


TWO = """
op.create_table("note", sa.Column("a", sa.Text()), schema="audit")
op.create_table("note", sa.Column("a", sa.Text()), schema="billing")
"""
PUBLIC = TWO.replace(', schema="billing"', "")
DROPS = {
    TWO: 'op.drop_table("note", schema="audit")\nop.drop_table("note", schema="billing")',
    PUBLIC: 'op.execute("DROP TABLE public.note")\nop.drop_table("note", schema="audit")',
}


@pytest.mark.parametrize("two", [TWO, PUBLIC])
def test_tables_of_one_name_in_two_schemas_are_two(two: str, tmp_path: Path) -> None:
    assert said(tmp_path / "both", (two, DROPS[two])) == []
    alone = DROPS[two].replace('op.drop_table("note", schema="audit")', "")
    (message,) = said(tmp_path / "alone", (two, alone))
    assert "audit.note" in message


@pytest.mark.parametrize("two", [TWO, PUBLIC])
def test_a_later_revision_knows_which_of_two_tables_it_changes(two: str, tmp_path: Path) -> None:
    drop = 'op.drop_column("note", "a", schema="audit")'
    back = 'op.add_column("note", sa.Column("a", sa.Text()), schema="audit")'
    wrong = back.replace("audit", "billing") if two == TWO else back.replace(', schema="audit"', "")
    assert said(tmp_path / "good", (two, DROPS[two]), (drop, back)) == []
    assert "audit.note.a" in " ".join(said(tmp_path / "wrong", (two, DROPS[two]), (drop, wrong)))
    renamed = 'op.rename_table("note", "memo", schema="audit")'
    undone = 'op.rename_table("memo", "note", schema="audit")'
    assert said(tmp_path / "renamed", (two, DROPS[two]), (renamed, undone)) == []


def test_a_schema_that_is_named_once_is_the_search_path_s(tmp_path: Path) -> None:
    made = 'op.create_table("note", sa.Column("a", sa.Text()), schema="app")'
    assert said(tmp_path, (made, 'op.execute("SET search_path = app; DROP TABLE note")')) == []
