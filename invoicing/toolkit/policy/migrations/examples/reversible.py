"""Examples of `reversible-migration`."""

from __future__ import annotations

from invoicing.toolkit.policy.migrations.examples.writing import migration

ADD = 'op.add_column("invoice", sa.Column("note", sa.Text()))'
DROP = 'op.drop_column("invoice", "note")'
TABLE = 'op.create_table("note", sa.Column("id", sa.BigInteger()))'
TABLE_DROP = 'op.drop_table("note")'
STATUS = 'sa.Enum("open", "paid", name="status")'
ENUM = f'op.create_table("note", sa.Column("status", {STATUS}))'
TRIGGER = 'op.execute("CREATE TRIGGER touch BEFORE UPDATE ON invoice EXECUTE FUNCTION touch()")'
FUNCTION = (
    'op.execute("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql "\n'
    """    "AS 'BEGIN RETURN NEW; END'")"""
)
INDEX = 'op.create_index("ix_note", "invoice", ["note"])'
PARENT = 'op.create_table("parent", sa.Column("id", sa.BigInteger(), primary_key=True))'
CHILD = (
    'op.create_table("child", sa.Column("parent_id", sa.BigInteger(), sa.ForeignKey("parent.id")))'
)

CALL = "FUNCTION touch()"

BAD = {
    "pass": migration(ADD, "pass"),
    "ellipsis": migration(ADD, "..."),
    "return": migration(ADD, "return"),
    "docstring only": migration(ADD, '"""There is no way back."""'),
    "raises": migration(ADD, "raise NotImplementedError"),
    "raises after a step": migration(ADD, f"{DROP}\nraise RuntimeError('no')"),
    "raises in a function": migration(
        ADD, "no_way_back()", before="def no_way_back():\n    raise RuntimeError\n"
    ),
    "asserts False": migration(ADD, 'assert False, "no way back"'),
    "only logs": migration(ADD, 'print("nothing to do")'),
    "steps after a return": migration(ADD, f"return\n{DROP}"),
    "another table": migration(TABLE, 'op.drop_table("notes")'),
    "another name, of which only a part is known": migration(
        f'op.create_index(f"ix_{{name()}}_a", "invoice", ["a"])\n{TABLE}',
        f'op.drop_index("ix_total_b")\n{TABLE_DROP}',
    ),
    "a column stays": migration(f"{ADD}\n{TABLE}", TABLE_DROP),
    "an index stays": migration(
        f'{TABLE}\nop.create_index("ix_invoice_id", "invoice", ["id"])', TABLE_DROP
    ),
    "a constraint stays": migration(
        f'{TABLE}\nop.create_unique_constraint("uq_invoice", "invoice", ["id"])', TABLE_DROP
    ),
    "a constraint of a batch stays": migration(
        f'with op.batch_alter_table("invoice") as batch:\n'
        f'    batch.create_check_constraint("ck_total", "total > 0")\n{TABLE}',
        TABLE_DROP,
    ),
    "an enumeration's type stays": migration(ENUM, TABLE_DROP),
    "a type made by itself stays": migration(
        f"status = {STATUS}\nstatus.create(op.get_bind())\n"
        f'op.add_column("invoice", sa.Column("status", status))',
        'op.drop_column("invoice", "status")',
    ),
    "a trigger stays": migration(f"{ADD}\n{TRIGGER}", DROP),
    "a trigger of a loop stays": migration(
        f"""
        {TABLE}
        for table in ("invoice", "account"):
            op.execute(f"CREATE TRIGGER touch_{{table}} AFTER INSERT ON {{table}} EXECUTE {CALL}")
        """,
        f'{TABLE_DROP}\nop.execute("DROP TRIGGER touch_invoice ON invoice")',
    ),
    "an extension stays": migration(
        f'op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")\n{TABLE}', TABLE_DROP
    ),
    "a function stays": migration(
        f'op.execute("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$")\n{TABLE}',
        TABLE_DROP,
    ),
    "SQL adds a column": migration(
        f'op.execute(sa.text("ALTER TABLE invoice ADD COLUMN a int, ADD b int"))\n{TABLE}',
        f'op.drop_column("invoice", "a")\n{TABLE_DROP}',
    ),
    "the type goes before its table": migration(
        ENUM, f'op.execute("DROP TYPE status")\n{TABLE_DROP}'
    ),
    "the index goes after its table": migration(
        f'{TABLE}\nop.create_index("ix_note_id", "note", ["id"])',
        f'{TABLE_DROP}\nop.drop_index("ix_note_id", table_name="note")',
    ),
    "the index goes after its column": migration(
        f"{ADD}\n{INDEX}", f'{DROP}\nop.drop_index("ix_note", table_name="invoice")'
    ),
    "the parent goes before its child": migration(
        f"{PARENT}\n{CHILD}", 'op.drop_table("parent")\nop.drop_table("child")'
    ),
    "the function goes before its trigger": migration(
        f"{FUNCTION}\n{TRIGGER}",
        'op.execute("DROP FUNCTION touch()")\nop.execute("DROP TRIGGER touch ON invoice")',
    ),
    "a constraint without a name": migration(
        f'op.create_foreign_key(None, "invoice", "account", ["a"], ["id"])\n{TABLE}',
        f'op.drop_constraint(None, "invoice", type_="foreignkey")\n{TABLE_DROP}',
    ),
}

GOOD = {
    "in the reverse order": migration(f"{ADD}\n{INDEX}", f'op.drop_index("ix_note")\n{DROP}'),
    "nothing to take back": migration("pass", "pass"),
    "only a setting": migration("op.execute(\"SET lock_timeout = '2s'\")", "pass"),
    "a table with its columns and indexes": migration(
        f'{TABLE}\nop.create_index("ix_note_id", "note", ["id"])', TABLE_DROP
    ),
    "an index goes with its column": migration(f"{ADD}\n{INDEX}", DROP),
    "the type after its table": migration(ENUM, f'{TABLE_DROP}\nop.execute("DROP TYPE status")'),
    "the type by its object": migration(
        f"status.create(op.get_bind())\n{TABLE}",
        f"{TABLE_DROP}\nstatus.drop(op.get_bind())",
        before=f"status = {STATUS}\n",
    ),
    "an enumeration kept as text": migration(
        'op.create_table("note", sa.Column("s", sa.Enum("a", name="s", native_enum=False)))',
        TABLE_DROP,
    ),
    "a helper of the file": migration(
        'add("a")\nadd("b")',
        'op.drop_column("invoice", "b")\nop.drop_column("invoice", "a")',
        before='def add(name):\n    op.add_column("invoice", sa.Column(name, sa.Text()))\n',
    ),
    "loops over what is known": migration(
        'for name in NAMES:\n    op.add_column("invoice", sa.Column(name, sa.Text()))',
        'for name in reversed(NAMES):\n    op.drop_column("invoice", name)',
        before='NAMES = ["a", "b"]\n',
    ),
    "a raise that guards": migration(
        ADD, f"if op.get_context().as_sql:\n    raise RuntimeError\n{DROP}"
    ),
    "a temporary table": migration(
        'op.execute("CREATE TEMP TABLE t AS SELECT 1")', "op.execute('X')"
    ),
    "made and dropped again": migration(f"{TABLE}\n{ADD}\n{TABLE_DROP}", DROP),
    "renamed on the way": migration(
        f'{TABLE}\nop.rename_table("note", "memo")', 'op.drop_table("memo")'
    ),
    "a function put back as it was": migration(
        'op.execute("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$")',
        'op.execute("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$")',
    ),
    "one's own operation": migration('op.expand("invoice", "a")', 'op.unexpand("invoice", "a")'),
    "CASCADE takes the rest": migration(
        ENUM, f'op.execute("DROP TYPE status CASCADE")\n{TABLE_DROP}'
    ),
    "a schema-qualified name": migration(
        'op.execute("CREATE INDEX CONCURRENTLY ix ON app.invoice (a)")',
        'op.execute("DROP INDEX CONCURRENTLY IF EXISTS app.ix")',
    ),
    "in a batch": migration(
        'with op.batch_alter_table("invoice") as b:\n    b.add_column(sa.Column("a", sa.Text()))\n'
        '    b.create_index("ix_a", ["a"])',
        'with op.batch_alter_table("invoice") as b:\n    b.drop_index("ix_a")\n'
        '    b.drop_column("a")',
    ),
}
