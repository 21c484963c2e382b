"""Downgrades that do not restore what was there, each with a twin that does.

`T` is a table of the case's own; in the base revision each of them is made by BEFORE.
"""

from __future__ import annotations

BEFORE = """
CREATE TYPE T_status AS ENUM ('open', 'paid');
CREATE TABLE T_parent (id bigint PRIMARY KEY, kind text);
CREATE TABLE T (id bigint PRIMARY KEY, note varchar(50), amount integer NOT NULL DEFAULT 7,
    status T_status NOT NULL DEFAULT 'open', parent_id bigint, at timestamptz DEFAULT now(),
    CONSTRAINT T_positive CHECK (amount > 0), CONSTRAINT T_note_key UNIQUE (note),
    CONSTRAINT T_parent_fk FOREIGN KEY (parent_id) REFERENCES T_parent ON DELETE CASCADE);
CREATE INDEX T_open ON T (amount) WHERE note IS NOT NULL;
COMMENT ON COLUMN T.note IS 'what was said';
COMMENT ON TABLE T IS 'things';
CREATE FUNCTION T_touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER T_touching BEFORE UPDATE ON T FOR EACH ROW EXECUTE FUNCTION T_touch();
CREATE VIEW T_view AS SELECT id, amount FROM T;
CREATE SEQUENCE T_number INCREMENT 5;
CREATE TABLE T_secret (id bigint PRIMARY KEY);
ALTER TABLE T_secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY T_own ON T_secret USING (id > 0);
CREATE TABLE T_counted (id serial PRIMARY KEY);
"""
D = "op.execute('{}')"
FLAG = "DESTRUCTIVE: the values of note and T_old are gone\n"


def sql(statement: str) -> str:
    """Return the operation that runs SQL."""
    return f"op.execute({statement!r})"


# Each case: the upgrade, the downgrade that does not restore, the downgrade that does, and whether
# the twin's docstring says DESTRUCTIVE.
CASES: dict[str, tuple[str, str, str, bool]] = {
    "a column without its comment": (
        'op.drop_column("T", "note")',
        ('op.add_column("T", sa.Column("note", sa.String(50)))\n'
        'op.create_unique_constraint("T_note_key", "T", ["note"])\n'
        'op.create_index("T_open", "T", ["amount"], postgresql_where=sa.text("note IS NOT NULL"))'),
        ('op.add_column("T", sa.Column("note", sa.String(50), comment="what was said"))\n'
        'op.create_unique_constraint("T_note_key", "T", ["note"])\n'
        'op.create_index("T_open", "T", ["amount"], postgresql_where=sa.text("note IS NOT NULL"))'),
        True,
    ),
    "a column without its default": (
        'op.execute("DROP VIEW T_view")\nop.drop_column("T", "at")',
        'op.add_column("T", sa.Column("at", sa.DateTime(timezone=True)))\n'
        + sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        'op.add_column("T", sa.Column("at", sa.DateTime(timezone=True), server_default='
        'sa.text("now()")))\n' + sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        True,
    ),
    "a column of another type": (
        'op.drop_column("T", "at")',
        'op.add_column("T", sa.Column("at", sa.DateTime(), server_default=sa.text("now()")))',
        ('op.add_column("T", sa.Column("at", sa.DateTime(timezone=True), '
        'server_default=sa.text("now()")))'),
        True,
    ),
    "a renamed column keeps its name": (
        'op.alter_column("T", "at", new_column_name="made_at")',
        'op.add_column("T", sa.Column("extra", sa.Text()))',
        'op.alter_column("T", "made_at", new_column_name="at")',
        False,
    ),
    "a renamed table keeps its name": (
        'op.rename_table("T_secret", "T_hidden")',
        "pass",
        'op.rename_table("T_hidden", "T_secret")',
        False,
    ),
    "an index without its predicate": (
        'op.drop_index("T_open")',
        'op.create_index("T_open", "T", ["amount"])',
        'op.create_index("T_open", "T", ["amount"], postgresql_where=sa.text("note IS NOT NULL"))',
        False,
    ),
    "an index of other columns": (
        'op.drop_index("T_open")',
        'op.create_index("T_open", "T", ["id"], postgresql_where=sa.text("note IS NOT NULL"))',
        'op.create_index("T_open", "T", ["amount"], postgresql_where=sa.text("note IS NOT NULL"))',
        False,
    ),
    "a unique index for a plain one": (
        'op.drop_index("T_open")',
        ('op.create_index("T_open", "T", ["amount"], unique=True, '
        'postgresql_where=sa.text("note IS NOT NULL"))'),
        sql("CREATE INDEX T_open ON T (amount) WHERE note IS NOT NULL"),
        False,
    ),
    "a constraint is not there again": (
        'op.drop_constraint("T_positive", "T")',
        'op.execute("SELECT 1")',
        'op.create_check_constraint("T_positive", "T", "amount > 0")',
        False,
    ),
    "a check of something else": (
        'op.drop_constraint("T_positive", "T")',
        'op.create_check_constraint("T_positive", "T", "amount >= 0")',
        'op.create_check_constraint("T_positive", "T", "amount > 0")',
        False,
    ),
    "a foreign key without its action": (
        'op.drop_constraint("T_parent_fk", "T")',
        'op.create_foreign_key("T_parent_fk", "T", "T_parent", ["parent_id"], ["id"])',
        ('op.create_foreign_key("T_parent_fk", "T", "T_parent", ["parent_id"], ["id"], '
        'ondelete="CASCADE")'),
        False,
    ),
    "a constraint by another name": (
        'op.drop_constraint("T_note_key", "T")',
        'op.create_unique_constraint("T_unique", "T", ["note"])',
        'op.create_unique_constraint("T_note_key", "T", ["note"])',
        False,
    ),
    "a constraint that is not validated": (
        'op.drop_constraint("T_positive", "T")',
        sql("ALTER TABLE T ADD CONSTRAINT T_positive CHECK (amount > 0) NOT VALID"),
        sql("ALTER TABLE T ADD CONSTRAINT T_positive CHECK (amount > 0)"),
        False,
    ),
    "NOT NULL is not there again": (
        'op.alter_column("T", "amount", nullable=True)',
        'op.execute("SELECT 1")',
        ('op.execute("UPDATE T SET amount = 7 WHERE amount IS NULL")\n'
        'op.alter_column("T", "amount", nullable=False)'),
        False,
    ),
    "NOT NULL again over NULLs": (
        'op.alter_column("T", "amount", nullable=True)',
        'op.alter_column("T", "amount", nullable=False)',
        ('op.execute("DELETE FROM T WHERE amount IS NULL")\n'
        'op.alter_column("T", "amount", nullable=False)'),
        False,
    ),
    "NOT NULL stays": (
        'op.alter_column("T", "note", nullable=False)',
        "pass",
        'op.alter_column("T", "note", nullable=True)',
        False,
    ),
    "a default stays": (
        'op.alter_column("T", "note", server_default="x")',
        "pass",
        'op.alter_column("T", "note", server_default=None)',
        False,
    ),
    "another default": (
        'op.alter_column("T", "amount", server_default="8")',
        'op.alter_column("T", "amount", server_default="6")',
        'op.alter_column("T", "amount", server_default="7")',
        False,
    ),
    "a wider type stays": (
        'op.alter_column("T", "note", type_=sa.String(80))',
        'op.alter_column("T", "note", type_=sa.String(60), postgresql_using="left(note, 60)")',
        'op.alter_column("T", "note", type_=sa.String(50), postgresql_using="left(note, 50)")',
        False,
    ),
    "a narrower text over long ones": (
        'op.alter_column("T", "note", type_=sa.String(80))',
        'op.alter_column("T", "note", type_=sa.String(50))',
        ('op.execute("UPDATE T SET note = left(note, 50)")\n'
        'op.alter_column("T", "note", type_=sa.String(50))'),
        False,
    ),
    "a smaller integer over large ones": (
        'op.execute("DROP VIEW T_view")\nop.alter_column("T", "amount", type_=sa.BigInteger())\n'
        + sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        'op.execute("DROP VIEW T_view")\nop.alter_column("T", "amount", type_=sa.Integer())\n'
        + sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        'op.execute("DROP VIEW T_view")\nop.execute("DELETE FROM T WHERE amount > 2147483647")\n'
        'op.alter_column("T", "amount", type_=sa.Integer())\n'
        + sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        False,
    ),
    "a number over texts": (
        sql("ALTER TABLE T_secret ADD code integer") + "\n"
        + sql("ALTER TABLE T_secret ALTER code TYPE text"),
        sql("ALTER TABLE T_secret ALTER code TYPE integer USING code::integer") + "\n"
        + sql("ALTER TABLE T_secret DROP code"),
        sql("ALTER TABLE T_secret DROP code"),
        False,
    ),
    "a label stays": (
        "with op.get_context().autocommit_block():\n    "
        + sql("ALTER TYPE T_status ADD VALUE 'void'"),
        "pass",
        sql("ALTER TABLE T ALTER status DROP DEFAULT") + "\n"
        + sql("ALTER TYPE T_status RENAME TO T_old") + "\n"
        + sql("CREATE TYPE T_status AS ENUM ('open', 'paid')") + "\n"
        + sql("UPDATE T SET status = 'open' WHERE status = 'void'") + "\n"
        + sql("ALTER TABLE T ALTER status TYPE T_status USING status::text::T_status") + "\n"
        + sql("ALTER TABLE T ALTER status SET DEFAULT 'open'") + "\n"
        + sql("DROP TYPE T_old"),
        False,
    ),
    "a label over rows that have it": (
        "with op.get_context().autocommit_block():\n    "
        + sql("ALTER TYPE T_status ADD VALUE 'void'"),
        sql("ALTER TABLE T ALTER status DROP DEFAULT") + "\n"
        + sql("ALTER TYPE T_status RENAME TO T_old") + "\n"
        + sql("CREATE TYPE T_status AS ENUM ('open', 'paid')") + "\n"
        + sql("ALTER TABLE T ALTER status TYPE T_status USING status::text::T_status") + "\n"
        + sql("ALTER TABLE T ALTER status SET DEFAULT 'open'") + "\n" + sql("DROP TYPE T_old"),
        sql("ALTER TABLE T ALTER status DROP DEFAULT") + "\n"
        + sql("ALTER TYPE T_status RENAME TO T_old") + "\n"
        + sql("CREATE TYPE T_status AS ENUM ('open', 'paid')") + "\n"
        + sql("ALTER TABLE T ALTER status TYPE T_status USING "
              "CASE status::text WHEN 'void' THEN 'paid' ELSE status::text END::T_status") + "\n"
        + sql("ALTER TABLE T ALTER status SET DEFAULT 'open'") + "\n" + sql("DROP TYPE T_old"),
        False,
    ),
    "labels in another order": (
        sql("ALTER TYPE T_status RENAME VALUE 'paid' TO 'settled'"),
        sql("ALTER TYPE T_status RENAME VALUE 'settled' TO 'Paid'"),
        sql("ALTER TYPE T_status RENAME VALUE 'settled' TO 'paid'"),
        False,
    ),
    "a comment stays": (
        sql("COMMENT ON COLUMN T.amount IS 'cents'"),
        "pass",
        sql("COMMENT ON COLUMN T.amount IS NULL"),
        False,
    ),
    "another comment": (
        'op.create_table_comment("T", "new", existing_comment="things")',
        'op.drop_table_comment("T")',
        'op.create_table_comment("T", "things")',
        False,
    ),
    "a trigger is not there again": (
        sql("DROP TRIGGER T_touching ON T"),
        sql("SELECT 1"),
        sql("CREATE TRIGGER T_touching BEFORE UPDATE ON T FOR EACH ROW EXECUTE FUNCTION T_touch()"),
        False,
    ),
    "a trigger for other events": (
        sql("DROP TRIGGER T_touching ON T"),
        sql("CREATE TRIGGER T_touching BEFORE INSERT ON T FOR EACH ROW EXECUTE FUNCTION T_touch()"),
        sql("CREATE TRIGGER T_touching BEFORE UPDATE ON T FOR EACH ROW EXECUTE FUNCTION T_touch()"),
        False,
    ),
    "a disabled trigger stays so": (
        sql("ALTER TABLE T DISABLE TRIGGER T_touching"),
        "pass",
        sql("ALTER TABLE T ENABLE TRIGGER T_touching"),
        False,
    ),
    "a function's new body stays": (
        sql("CREATE OR REPLACE FUNCTION T_touch() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN NEW.amount := 1; RETURN NEW; END'"),
        "pass",
        sql("CREATE OR REPLACE FUNCTION T_touch() RETURNS trigger LANGUAGE plpgsql AS "
            "'BEGIN RETURN NEW; END'"),
        False,
    ),
    "a view is not there again": (
        sql("DROP VIEW T_view"),
        sql("SELECT 1"),
        sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        False,
    ),
    "a view of something else": (
        sql("DROP VIEW T_view"),
        sql("CREATE VIEW T_view AS SELECT id FROM T"),
        sql("CREATE VIEW T_view AS SELECT id, amount FROM T"),
        False,
    ),
    "a sequence counts otherwise": (
        sql("ALTER SEQUENCE T_number INCREMENT 1"),
        "pass",
        sql("ALTER SEQUENCE T_number INCREMENT 5"),
        False,
    ),
    "a schema stays": (
        sql("CREATE SCHEMA T_space"),
        "pass",
        sql("DROP SCHEMA T_space"),
        False,
    ),
    "row security stays off": (
        sql("ALTER TABLE T_secret DISABLE ROW LEVEL SECURITY"),
        "pass",
        sql("ALTER TABLE T_secret ENABLE ROW LEVEL SECURITY"),
        False,
    ),
    "another policy": (
        sql("DROP POLICY T_own ON T_secret"),
        sql("CREATE POLICY T_own ON T_secret USING (true)"),
        sql("CREATE POLICY T_own ON T_secret USING (id > 0)"),
        False,
    ),
    "a privilege stays": (
        sql("GRANT SELECT ON T TO PUBLIC"),
        "pass",
        sql("REVOKE SELECT ON T FROM PUBLIC"),
        False,
    ),
    "a table of fewer columns": (
        'op.drop_table("T_secret")',
        'op.create_table("T_secret", sa.Column("id", sa.Integer(), primary_key=True))',
        sql("CREATE TABLE T_secret (id bigint PRIMARY KEY)") + "\n"
        + sql("ALTER TABLE T_secret ENABLE ROW LEVEL SECURITY") + "\n"
        + sql("CREATE POLICY T_own ON T_secret USING (id > 0)"),
        True,
    ),
    "what the downgrade makes is not there for the second upgrade": (
        sql("CREATE TABLE T_new (id int)"),
        sql("ALTER TABLE T_new RENAME TO T_kept"),
        sql("DROP TABLE T_new"),
        False,
    ),
    "it raises": (
        'op.add_column("T", sa.Column("extra", sa.Text()))',
        "raise NotImplementedError",
        'op.drop_column("T", "extra")',
        False,
    ),
    "it fails": (
        'op.add_column("T", sa.Column("extra", sa.Text()))',
        'op.drop_column("T", "extras")',
        'op.drop_column("T", "extra")',
        False,
    ),
    "it does nothing": (
        'op.add_column("T", sa.Column("extra", sa.Text()))',
        "pass",
        'op.drop_column("T", "extra")',
        False,
    ),
    "a type stays": (
        ('sa.Enum("a", name="T_kind").create(op.get_bind())\n'
        'op.add_column("T", sa.Column("extra", sa.Enum("a", name="T_kind")))'),
        'op.drop_column("T", "extra")',
        'op.drop_column("T", "extra")\nsa.Enum(name="T_kind").drop(op.get_bind())',
        False,
    ),
    "a smaller key over large ones": (
        'op.alter_column("T_counted", "id", existing_type=sa.Integer(), type_=sa.BigInteger())',
        'op.alter_column("T_counted", "id", existing_type=sa.BigInteger(), type_=sa.Integer())',
        sql("DELETE FROM T_counted WHERE id > 2147483647; ALTER TABLE T_counted ALTER id TYPE int"),
        True,
    ),
}  # fmt: skip
