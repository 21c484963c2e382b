"""`destructive-flagged`: a migration that loses data says DESTRUCTIVE in its docstring.

A new type is compared with `existing_type`, or with what earlier revisions say (`check_history`);
where neither is known, nothing is said. A DROP that loses no rows (an index, a view, a trigger) is
no loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import Action, ColumnType, shown
from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from invoicing.toolkit.policy.migrations.narrowing import narrows
from invoicing.toolkit.policy.migrations.revision import FLAG
from invoicing.toolkit.policy.migrations.sql import HOLDS_DATA
from invoicing.toolkit.policy.migrations.state import SchemaState
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "destructive-flagged"
FIX = "say DESTRUCTIVE in the docstring, and what is lost"


def flagged(revision: Revision) -> bool:
    """Tell whether the docstring says that data is lost."""
    return FLAG.search(revision.header) is not None


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Look for steps of upgrade() that lose data."""
    if not revision.is_migration or flagged(revision):
        return
    names = [name for name in revision.names if name == "upgrade" or name.startswith("upgrade_")]
    seen = set()
    for name in names if revision.by_database else ["upgrade"]:
        node = revision.node(name)
        for action, said in losses(revision, revision.run(node).actions) if node else ():
            if (action.line, said) not in seen:
                seen.add((action.line, said))
                yield revision.finding(SLUG, (action.line, action.column), said, FIX)


def losses(revision: Revision, actions: list[Action]) -> Iterator[tuple[Action, str]]:
    """Give the steps that lose data which was there before the upgrade."""
    state = SchemaState()
    for action in actions:
        missed = len(state.missed)
        new_table = has(state, "table", action.name)
        fresh = new_column(state, action)
        state.apply(action)
        if action.verb == "drop" and len(state.missed) > missed:
            if (action.kind in HOLDS_DATA or takes_columns(action)) and not fresh:
                yield action, f"{action.called} is dropped" + cascaded(action)
        elif action.verb == "lose" and action.kind == "column":
            if not fresh:
                yield action, f"{action.said} sets {action.called} to NULL"
        elif action.verb == "lose" and not new_table:
            yield action, f"{action.said} loses rows of {shown(action.name)}"
        elif action.verb == "retype" and action.new and action.old and not fresh:
            # With an id it has a history, which may know better (`check_history`).
            in_history = revision.identifier and not revision.by_database
            if not in_history and narrows(action.old, action.new):
                yield action, narrowed(action, action.old)
        elif action.verb == "opaque" and action.name in revision.settings.destructive_operations:
            yield action, f"{action.said} loses data"


def cascaded(action: Action) -> str:
    """Say what a CASCADE does."""
    return "" if action.kind in HOLDS_DATA else " with what depends on it (CASCADE)"


def takes_columns(action: Action) -> bool:
    """Tell whether a drop takes the columns of a type along; CASCADE of a key takes no rows."""
    return action.cascade and action.kind in {"type", "extension"}


def narrowed(action: Action, old: ColumnType | None) -> str:
    """Say what a new type does to values."""
    return f"{action.called} becomes {action.new}, which cannot hold every {old}"


def new_column(state: SchemaState, action: Action) -> bool:
    """Tell whether a column's table was made by this upgrade, or the column itself."""
    return has(state, "table", action.table) or (action.kind == "column" and state.has(action))


def has(state: SchemaState, kind: str, name: str | None) -> bool:
    """Tell whether this upgrade has made something of this name."""
    return name is not None and state.has(Action("create", kind, name))


BACK = 'op.add_column("invoice", sa.Column("note", sa.Text()))'
FLAGGED = f"{HEADER}\nDESTRUCTIVE: the notes are gone\n"
DROP = 'op.drop_column("invoice", "note")'


def narrow(old: str, new: str, table: str = "op.alter_column", first: str = '"invoice", ') -> str:
    """Write a change of type."""
    return migration(f'{table}({first}"a", existing_type={old}, type_={new})', BACK)


NULLED = 'op.execute("UPDATE invoice SET note = NULL")'
BAD = {
    "a table": migration('op.drop_table("note")', BACK),
    "a column": migration(DROP, BACK),
    "a column in a batch": migration(
        'with op.batch_alter_table("invoice") as batch:\n    batch.drop_column("note")', BACK
    ),
    "the word in a comment": migration(f"# DESTRUCTIVE\n{DROP}", BACK),
    "the word in the function's docstring": migration(f'"""DESTRUCTIVE"""\n{DROP}', BACK),
    "the word denied": migration(DROP, BACK, f"{HEADER}\nDESTRUCTIVE: no\n"),
    "the word in lower case": migration(DROP, BACK, f"{HEADER}\nnot destructive\n"),
    "a shorter text": narrow("sa.String(50)", "sa.String(length=20)"),
    "a text with a limit": narrow("sa.Text()", "sa.String(20)"),
    "a smaller integer": narrow("sa.BigInteger()", "sa.Integer"),
    "fewer digits": narrow("sa.Numeric(12, 4)", "sa.Numeric(12, 2)"),
    "a date without its time": narrow("sa.DateTime()", "sa.Date()"),
    "fewer labels": narrow('sa.Enum("a", "b", name="e")', 'sa.Enum("a", name="e")'),
    "a narrower type in a batch": migration(
        'with op.batch_alter_table("invoice") as batch:\n'
        '    batch.alter_column("a", existing_type=sa.Float(), type_=sa.Integer())',
        BACK,
    ),
    "TRUNCATE": migration('op.execute("TRUNCATE invoice, account")', BACK),
    "DELETE in a constant": migration(
        "op.execute(SQL)", BACK, before='SQL = "DELETE FROM invoice"\n'
    ),
    "DELETE in an f-string": migration('op.execute(f"DELETE FROM {table()}")', BACK),
    "DELETE by text()": migration('op.get_bind().execute(sa.text("delete from invoice"))', BACK),
    "DELETE in a WITH": migration(
        'op.execute("WITH old AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM old")',
        BACK,
    ),
    "DELETE by an expression": migration(
        'invoice = sa.table("invoice")\nop.execute(invoice.delete())', BACK
    ),
    "DELETE in a block": migration(
        'op.execute("DO $$ BEGIN IF true THEN DELETE FROM invoice; END IF; END $$")', BACK
    ),
    "EXECUTE in a block": migration(
        "op.execute(\"DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'invoice'); END $$\")", BACK
    ),
    "DROP TABLE": migration('op.execute("DROP TABLE IF EXISTS invoice")', BACK),
    "DROP COLUMN": migration('op.execute("ALTER TABLE invoice ADD a int, DROP note")', BACK),
    "the second of two statements": migration(
        "op.execute(\"UPDATE a SET b = ';'; -- ;\\n DROP TABLE invoice\")", BACK
    ),
    "a schema": migration('op.execute("DROP SCHEMA old CASCADE")', BACK),
    "a type with its columns": migration('op.execute("DROP TYPE status CASCADE")', BACK),
    "UPDATE to NULL": migration('op.execute("UPDATE invoice SET note = NULL WHERE id > 3")', BACK),
    "UPDATE of several": migration(
        'op.execute("UPDATE invoice SET total = (SELECT 1), note = NULL")', BACK
    ),
    "UPDATE by an expression": migration(
        'invoice = sa.table("invoice")\nop.execute(invoice.update().values(note=None))', BACK
    ),
    "in a function of the file": migration(
        "clear()", BACK, before='def clear():\n    op.execute("TRUNCATE invoice")\n'
    ),
}

GOOD = {
    "flagged": migration(DROP, BACK, FLAGGED),
    "a drop in the downgrade": migration(BACK, DROP),
    "a drop of what this upgrade made": migration(
        'op.create_table("t", sa.Column("a", sa.Text()))\n'
        'op.drop_column("t", "a")\nop.drop_table("t")',
        "pass",
    ),
    "a narrower type in a table this upgrade made": migration(
        'op.execute("CREATE TABLE t AS SELECT 1 AS a")\nop.execute("ALTER TABLE t DROP a")\n'
        'op.alter_column("t", "b", existing_type=sa.Text(), type_=sa.Integer())',
        'op.drop_table("t")',
    ),
    "rows of a temporary table": migration(
        'op.execute("CREATE TEMP TABLE t (a int)")\nop.execute("DELETE FROM t; DROP TABLE t")',
        "pass",
    ),
    "a longer text": narrow("sa.String(20)", "sa.String(50)"),
    "a text without a limit": narrow("sa.String(20)", "sa.Text()"),
    "a larger integer": narrow("sa.Integer()", "sa.BigInteger()"),
    "more digits": narrow("sa.Numeric(10, 2)", "sa.Numeric(12, 2)"),
    "more labels": narrow('sa.Enum("a", name="e")', 'sa.Enum("a", "b", name="e")'),
    "UPDATE where it is NULL": migration(
        "op.execute(\"UPDATE invoice SET note = '' WHERE note IS NULL AND a = NULL\")", BACK
    ),
    "UPDATE of a column this upgrade made": migration(f"{BACK}\n{NULLED}", DROP),
    "ON DELETE": migration(
        'op.execute("ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c ON DELETE CASCADE")', BACK
    ),
    "DELETE in a function's body": migration(
        'op.execute("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DELETE FROM a $$")', BACK
    ),
    "a trigger on DELETE": migration(
        'op.execute("CREATE TRIGGER t BEFORE DELETE OR TRUNCATE ON a EXECUTE FUNCTION f()")', BACK
    ),
    "DELETE in a text and in a comment": migration(
        "op.execute(\"UPDATE a SET b = 'x; DELETE FROM a' /* ; DROP TABLE a */ -- ; TRUNCATE a\")",
        BACK,
    ),
    "an index, a view, a default": migration(
        'op.drop_index("ix")\nop.execute("DROP VIEW v; ALTER TABLE a ALTER b DROP DEFAULT")', BACK
    ),
}

RULE = Rule(
    SLUG,
    "a migration that loses data says DESTRUCTIVE in its docstring",
    "A dropped column is gone for good: a downgrade adds it again, empty. Whoever runs the "
    "migration reads its docstring, not its operations; without the word, no backup is made.",
    BAD,
    GOOD,
    check,
)
