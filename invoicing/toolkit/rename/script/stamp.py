"""Keep Alembic's version row true in a script, whatever runs it and whatever fails.

Alembic writes the row by itself, after the operation. So the last statements of a rename share its
transaction, which is checked before it commits: the row is there, or nothing is. What runs a script
may go on after an error, so what comes later is guarded as well: the session can only read once
anything has failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.schema import CreateTable

from invoicing.errors import UsageError
from invoicing.toolkit.rename.names import literal, qualified, quote
from invoicing.toolkit.rename.script.blocks import PATIENT, do

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext

# Not SQL: other programs than psql report an error here and are guarded by what follows. A psqlrc
# may have set the other two, each of which undoes what a failed transaction means.
_PSQL = "\\set ON_ERROR_STOP on\n\\set ON_ERROR_ROLLBACK off\n\\set AUTOCOMMIT on"
_SETTING = "invoicing.script"


def begin_script(context: MigrationContext) -> None:
    """Write what psql has to know before the first statement; once in a script."""
    _Stamp.of(context)
    if context.as_sql and not context.get_current_heads():
        _output(context, _refuse_begun(context))


def write(context: MigrationContext, before: list[str], last: list[str]) -> None:
    """Write `before`, each by itself, then `last` in the transaction of the version row.

    Raises:
        UsageError: the environment writes no transactions.
    """
    if not context.impl.transactional_ddl:
        message = (
            "cannot write a script without transactions: its checks could not stop it. Remove "
            "transactional_ddl=False from context.configure() in env.py, or run without --sql"
        )
        raise UsageError(message)
    stamp = _Stamp.of(context)
    from_base = not context.get_current_heads()
    # What Alembic has written so far is committed here, its own table too.
    aside = [_put_aside(context, tell=not stamp.said)] if from_base else []
    stamp.said = True
    _output(context, *aside, stamp.passed())
    with context.autocommit_block():
        _output(context, stamp.guard(), *before)
    back = [_put_back(context)] if from_base else []
    _output(context, *back, *last, stamp.passed())
    stamp.due = True


class _Stamp:
    """The callback that Alembic calls when it has written the version row of a revision."""

    def __init__(self) -> None:
        self.due = False
        self.said = False
        self._passed = 0

    @classmethod
    def of(cls, context: MigrationContext) -> _Stamp:
        for callback in context.on_version_apply_callbacks:
            if isinstance(callback, cls):
                return callback
        stamp = cls()
        context.on_version_apply_callbacks += (stamp,)
        context.impl.static_output(_PSQL)
        _output(context, PATIENT)
        return stamp

    def __call__(self, *, ctx: MigrationContext, heads: set[Any], **_: object) -> None:
        if not self.due:
            return
        self.due = False
        _output(ctx, _versions(ctx, heads), self.passed())
        with ctx.autocommit_block():
            _output(ctx, self.guard())

    def passed(self) -> str:
        """Return the statement that takes effect only if its transaction commits."""
        self._passed += 1
        return do(f"BEGIN\n    PERFORM set_config('{_SETTING}', '{self._passed}', false);\nEND\n")

    def guard(self) -> str:
        """Return the statement that lets nothing be written once a transaction was lost."""
        message = "a statement of this script failed: from here on it changes nothing"
        hint = "Fix what failed, open a new session, and run the script again."
        return do(
            f"BEGIN\n"
            f"    IF current_setting('{_SETTING}', true) IS DISTINCT FROM '{self._passed}' THEN\n"
            f"        PERFORM set_config('default_transaction_read_only', 'on', false);\n"
            f"        RAISE WARNING USING MESSAGE = {literal(message)}, HINT = {literal(hint)};\n"
            f"    END IF;\nEND\n"
        )


def _refuse_begun(context: MigrationContext) -> str:
    """Refuse to begin at base where the database is further: Alembic's table is there already."""
    return _at(
        context,
        "    IF version IS NOT NULL THEN\n"
        "        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        "            MESSAGE = 'the script starts from base, and the database is at ' || version,\n"
        "            HINT = 'Write it from there: alembic upgrade ' || version || ':TO --sql';\n"
        "    END IF;\n",
    )


def _put_aside(context: MigrationContext, *, tell: bool) -> str:
    """Let no table of Alembic's be committed that has no row: the script could not begin again.

    Revisions that came before cannot run again; they are stamped, and the script says so.
    """
    drop = f"DROP TABLE {_version_table(context)}"
    message = (
        "    IF version IS NOT NULL THEN\n"
        "        RAISE NOTICE USING MESSAGE = 'the revisions to ' || version || ' are committed',"
        "\n            HINT = 'If this script is ended early, go on with: alembic upgrade '"
        " || version || ':TO --sql';\n    END IF;\n"
    )
    return _at(
        context,
        f"    IF version IS NULL THEN\n        EXECUTE {literal(drop)};\n    END IF;\n"
        + (message if tell else ""),
    )


def _put_back(context: MigrationContext) -> str:
    create = str(CreateTable(context._version).compile(dialect=context.dialect))  # noqa: SLF001
    return do(
        f"BEGIN\n    IF to_regclass({literal(_version_table(context))}) IS NULL THEN\n"
        f"        EXECUTE {literal(create.strip())};\n    END IF;\nEND\n"
    )


def _at(context: MigrationContext, body: str) -> str:
    """Return a block that knows the `version` of the database; NULL where there is none."""
    table = _version_table(context)
    query = f"SELECT string_agg(version_num, ',') FROM {table}"
    return do(
        f"DECLARE\n    version text;\nBEGIN\n"
        f"    IF to_regclass({literal(table)}) IS NOT NULL THEN\n"
        f"        EXECUTE {literal(query)} INTO version;\n    END IF;\n{body}END\n"
    )


def _version_table(context: MigrationContext) -> str:
    schema, table = context.version_table_schema, context.version_table
    return qualified(schema, table) if schema else quote(table)


def _versions(context: MigrationContext, heads: set[Any]) -> str:
    """Refuse to commit where the version row was not the one that the script goes on from."""
    table, name = context.version_table, _version_table(context)
    wanted = ", ".join(literal(str(head)) for head in sorted(heads))
    return do(
        f"BEGIN\n    IF EXISTS (SELECT unnest(ARRAY[{wanted}]::text[])"
        f" EXCEPT SELECT version_num FROM {name}) THEN\n"
        f"        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        f"            MESSAGE = 'the version in ' || {literal(table)} || ' is not the one that this"
        f" script goes on from',\n"
        f"            HINT = 'See which it is (alembic current), and write the script from there:"
        f" alembic upgrade FROM:TO --sql';\n"
        f"    END IF;\nEND\n"
    )


def _output(context: MigrationContext, *statements: str) -> None:
    for statement in statements:
        context.impl.static_output(statement + ";\n")
