"""`reversible-migration`: a downgrade takes back what its upgrade made, in an order that works.

What a helper of another file or an operation of one's own does is not seen: a downgrade with such a
step is not said to leave anything behind, unless asked to be strict.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action, alike, bare, equal, shown
from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from invoicing.toolkit.policy.migrations.revision import FLAG
from invoicing.toolkit.policy.migrations.state import MOST_UNKNOWN, SchemaState, after
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import FunctionNode, Revision
    from invoicing.toolkit.policy.migrations.trace import Trace

SLUG = "reversible-migration"
KINDS = {
    "table", "column", "index", "constraint", "type", "trigger", "extension", "function", "view",
    "sequence", "schema", "policy", "rule", "publication", "statistics", "collation",
}  # fmt: skip
# How many steps of an upgrade a message names.
NAMED = 3
POSTGRESQL_ONLY = {"type", "extension"}
BY_OPERATION = {"table", "column", "index", "constraint"}


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Compare each upgrade with its downgrade."""
    there = revision.node("upgrade")
    if not revision.is_migration or there is None:
        return
    if "downgrade" not in revision.names:
        if revision.run(there).actions:
            yield revision.finding(
                SLUG,
                (there.lineno, there.col_offset + 1),
                "there is no downgrade()",
                "write one that takes back what upgrade() does",
            )
        return
    for forth, back in revision.pairs():
        yield from check_pair(revision, forth, back)


def check_pair(
    revision: Revision, forth: FunctionNode, back: FunctionNode
) -> Iterator[PolicyFinding]:
    """Say that a downgrade does nothing, always fails, or what it leaves behind."""
    made, undone = revision.run(forth), revision.run(back)
    if not made.actions:
        return
    if undone.raises is not None:
        yield revision.finding(
            SLUG,
            (undone.raises.lineno, undone.raises.col_offset + 1),
            f"{back.name}() always raises",
            f"take back what {forth.name}() does",
        )
    elif not undone.actions and not keeps_schema(revision, made):
        yield revision.finding(
            SLUG,
            (back.lineno, back.col_offset + 1),
            f"{back.name}() does nothing",
            f"take back what {forth.name}() does: {summary(made)}",
        )
    elif undone.actions:
        yield from check_steps(revision, made, undone, back.name)


def keeps_schema(revision: Revision, made: Trace) -> bool:
    """Tell whether an upgrade leaves nothing to take back: NULLs filled, or rows gone as said."""
    flagged = FLAG.search(revision.header) is not None
    return all(
        "fills" in action.traits
        or (flagged and (action.verb == "lose" or (action.verb, action.kind) == ("change", "data")))
        for action in made.actions
    )


def summary(made: Trace) -> str:
    """Name the first steps of an upgrade."""
    named = [action for action in made.actions if not action.implied]
    words = dict.fromkeys(
        f"{action.said} {shown(action.name)}".strip() if action.name else action.said
        for action in named
    )
    more = [", ..."] if len(words) > NAMED else []
    return "".join([", ".join([*words][:NAMED]), *more])


def check_steps(
    revision: Revision, made: Trace, undone: Trace, name: str
) -> Iterator[PolicyFinding]:
    """Take the downgrade's steps over what the upgrade has made."""
    postgresql = revision.settings.dialect == "postgresql"
    there = after(made.actions)
    state = SchemaState(
        alike, [thing for thing in there.things if counts(thing, postgresql=postgresql)]
    )
    opaque: Action | None = None
    for action in undone.actions:
        if action.verb == "opaque":
            opaque = opaque or action
        if action.said == "op.drop_constraint" and action.name is None:
            yield unnamed(revision, action)
        if postgresql and not (action.guarded or action.lenient or opaque):
            yield from out_of_order(revision, state, action)
        if action.verb == "create":
            # What was there before the upgrade is put in place of what the upgrade made.
            state.forget(action)
        else:
            state.apply(action)
    if max(state.unknown, there.unknown) > MOST_UNKNOWN:
        opaque = opaque or undone.actions[0]
    if opaque is None:
        yield from (left(revision, thing, name) for thing in remaining(state))
    elif revision.settings.strict and state.things:
        yield revision.finding(
            SLUG,
            (opaque.line, opaque.column),
            f"what {opaque.said} does cannot be seen",
            f"say in {name}() itself that {state.things[0].called} is dropped",
        )


def remaining(state: SchemaState) -> list[Action]:
    """List what stays; an index is not said where its table stays too."""
    said = [thing for thing in state.things if not thing.implied or thing.kind == "type"]
    inside = SchemaState(state.match, said)
    for thing in said:
        if thing.kind in {"table", "column"}:
            for number in inside.along(replace(thing, verb="drop")):
                inside.take(number)
    return inside.things


def counts(thing: Action, *, postgresql: bool) -> bool:
    """Tell whether a downgrade has to drop this thing."""
    if thing.kind not in KINDS or thing.temporary or (thing.name or "") == HOLE:
        return False
    return postgresql or thing.kind not in POSTGRESQL_ONLY


def left(revision: Revision, thing: Action, name: str) -> PolicyFinding:
    """Say what stays behind."""
    what = thing.called + (
        " (which PostgreSQL keeps when its table is dropped)" if thing.implied else ""
    )
    return revision.finding(
        SLUG,
        (thing.line, thing.column),
        f"{name}() does not drop {what}",
        f"add {drop_step(thing)} to {name}()",
    )


def drop_step(thing: Action) -> str:
    """Write the step that drops a thing."""
    name, table = shown(thing.name), shown(thing.table)
    if thing.kind not in BY_OPERATION:
        on = f" ON {table}" if thing.table else ""
        return f'op.execute("DROP {thing.kind.upper()} {name}{on}")'
    first = f'"{table}", ' if thing.kind == "column" else ""
    last = f', "{table}"' if thing.kind in {"index", "constraint"} and thing.table else ""
    return f'op.drop_{thing.kind}({first}"{name}"{last})'


def unnamed(revision: Revision, action: Action) -> PolicyFinding:
    """Say that a constraint without a name cannot be dropped."""
    return revision.finding(
        SLUG,
        (action.line, action.column),
        "op.drop_constraint(None) fails: it cannot know the constraint's name",
        "name the constraint where it is created, and here",
    )


def out_of_order(revision: Revision, state: SchemaState, action: Action) -> Iterator[PolicyFinding]:
    """Say that a drop fails: something needs the thing still, or has taken it along already."""
    if action.verb != "drop" or HOLE in (action.name or HOLE):
        return
    place = action.line, action.column
    users = iter(()) if action.cascade else state.users(action)
    for user in islice(users, 1):
        yield revision.finding(
            SLUG,
            place,
            f"{action.called} is dropped while {user.called} still needs it",
            f"drop {user.called} first",
        )
    for thing, by in state.gone.get((action.kind, bare(action.name or "")), ()):
        named = equal(thing.name, action.name) and equal(thing.table, action.table or thing.table)
        if named and not by.guarded and not state.has(thing):
            yield revision.finding(
                SLUG,
                place,
                f"{action.called} is dropped after {by.called}, which has taken it along",
                f"drop {action.called} first, or leave it out",
            )
            return


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
    "values that are written over": migration('op.execute("UPDATE invoice SET a = 1")', "pass"),
    "NULLs and others": migration(
        'op.execute("UPDATE invoice SET a = 1 WHERE a IS NULL OR b")', "pass"
    ),
    "rows that are gone, unsaid": migration('op.execute("DELETE FROM invoice")', "pass"),
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
    "NULLs that are filled": migration(
        "op.execute(\"UPDATE invoice SET note = coalesce(b.a, 'x') FROM b WHERE b.id = b \"\n"
        '    "AND (b.c OR b.d) AND invoice.note IS NULL")',
        "pass",
    ),
    "rows that are gone, as it says": migration(
        'op.execute("DELETE FROM invoice WHERE total IS NULL")',
        "pass",
        HEADER.replace("Create Date", "DESTRUCTIVE: empty invoices\nCreate Date"),
    ),
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

RULE = Rule(
    SLUG,
    "downgrade() drops what upgrade() creates, in an order that works, and gives back the rest",
    "A deployment that goes wrong at night is taken back with `alembic downgrade`. A downgrade "
    "that is empty, raises or forgets a type leaves a schema that no revision describes: the next "
    "upgrade fails on what is left. What upgrade() drops, renames or changes has to come back as "
    "the revisions before made it: an index with its predicate, a column with its default.",
    BAD,
    GOOD,
    check,
)
