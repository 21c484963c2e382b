"""The same rename as SQL for psql: what `alembic upgrade --sql` writes, batched commits included.

A script knows only the names and the type that the revision gives it. So it looks first, on the
server, whether anything hangs on the old column that only a run with a connection carries over, and
ends there if so. Each statement may be run again: a script that was interrupted is started anew,
and goes on at the batch where it was.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.rename import contract, expand, rollback, state, sync
from invoicing.rename.copies.not_null import by_check
from invoicing.rename.model import Phase
from invoicing.rename.names import STATE, literal, quote
from invoicing.rename.sync import distinct

if TYPE_CHECKING:
    from invoicing.rename.column import Column
    from invoicing.rename.model import Options
    from invoicing.rename.names import Names

_STATE = quote(STATE)


def expand_script(names: Names, column: Column, options: Options) -> list[str]:
    """Return the statements of expand, backfill and verify, in the order they run."""
    return [
        _settings(options),
        _preflight(names),
        *state.SETUP,
        _begin(names, options),
        *sync.create_functions(names, column),
        *_transaction(
            *expand.expand_statements(names, column), state.set_phase(names, Phase.EXPANDED)
        ),
        _cut(names, options),
        _backfill(names),
        f"ANALYZE {names.relation} ({quote(names.new)})",
        state.set_phase(names, Phase.BACKFILLED),
        *_not_null(names, column),
        _refuse_difference(names, column),
        state.set_phase(names, Phase.VERIFIED),
        *_RESET,
    ]


def contract_script(
    names: Names, column: Column, options: Options, *, confirmed: bool
) -> list[str]:
    """Return the statements of the gate and the contract."""
    gate = [] if confirmed else [_refuse_rows(names)]
    return [
        _settings(options),
        *gate,
        _preflight(names),
        _refuse_difference(names, column),
        _watch(names, options),
        *_transaction(
            *contract.contract_statements(names, column, [], []),
            state.set_phase(names, Phase.CONTRACTED),
        ),
        *sync.drop_functions(names),
        f"DELETE FROM {_STATE}.range WHERE key = {literal(names.key)}",
        # Of an empty table nothing was lost, so that nobody will ask for a way back.
        _forget(names, f"NOT EXISTS (SELECT FROM {names.relation})"),
        *_RESET,
    ]


def rollback_script(names: Names, column: Column, options: Options) -> list[str]:
    """Return the statements that go back to before the expand."""
    return [
        _settings(options),
        _refuse_loss(names, column),
        *_transaction(*rollback.rollback_statements(names)),
        *sync.drop_functions(names),
        _forget(names, "true"),
        *_RESET,
    ]


def readd_script(names: Names, column: Column, options: Options) -> list[str]:
    """Return the statements that add the old column again, empty, and keep it equal from now on."""
    return [
        _settings(options),
        *state.SETUP,
        _begin(names, options),
        *sync.create_functions(names, column),
        *_transaction(
            *expand.expand_statements(names, column), state.set_phase(names, Phase.EXPANDED)
        ),
        *_RESET,
    ]


_RESET = ("RESET lock_timeout", "RESET statement_timeout")


def _settings(options: Options) -> str:
    return f"SET lock_timeout = '{round(options.lock_timeout * 1000)}ms'"


def _transaction(*statements: str) -> list[str]:
    return ["BEGIN", *statements, "COMMIT"]


def _do(body: str) -> str:
    return f"DO $invoicing_rename$\n{body}$invoicing_rename$"


def _raise(condition: str, message: str, hint: str) -> str:
    return (
        f"    IF {condition} THEN\n"
        f"        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',\n"
        f"            MESSAGE = {literal(message)}, HINT = {literal(hint)};\n"
        f"    END IF;\n"
    )


def _preflight(names: Names) -> str:
    """Refuse what the script cannot carry over."""
    table = literal(names.relation)
    hanging = (
        "EXISTS (SELECT FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid"
        f" AND a.attnum = d.refobjsubid WHERE d.refobjid = {table}::regclass"
        f" AND d.refclassid = 'pg_class'::regclass AND a.attname = {literal(names.old)}"
        f" AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger AS t"
        f" WHERE t.oid = d.objid AND t.tgname ~ '^zz_rename_'))"
        " AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint AS k"
        " WHERE k.oid = d.objid AND k.contype = 'n')))"
    )
    simple = f"(SELECT relkind <> 'r' FROM pg_class WHERE oid = {table}::regclass)"
    what = f"of {names.table}.{names.old} needs a connection to be carried over"
    hint = "Run the revision itself: alembic upgrade, without --sql."
    return _do(
        "BEGIN\n"
        + _raise(hanging, f"something that hangs on it {what}", hint)
        + _raise(simple, f"the partitions {what}", hint)
        + "END\n"
    )


def _begin(names: Names, options: Options) -> str:
    values = (names.key, names.schema, names.table, names.old, names.new, options.strategy)
    written = ", ".join(map(literal, (*values, Phase.EXPANDING)))
    return (
        f"INSERT INTO {_STATE}.rename (key, schema_name, table_name, old_name, new_name, strategy,"
        f" phase) VALUES ({written}) ON CONFLICT (key) DO UPDATE SET phase = excluded.phase,"
        f" rows_total = 0, watch = '{{}}' WHERE rename.phase = {literal(Phase.CONTRACTED)}"
    )


def _cut(names: Names, options: Options) -> str:
    """Cut the table into ranges, as a run does; nothing happens when it is cut already."""
    key, table = literal(names.key), names.relation
    pages = f"pg_relation_size({literal(table)}::regclass) / current_setting('block_size')::bigint"
    batch = options.batch_size
    return f"""WITH counted AS (
    SELECT count(*) AS rows, greatest({pages}, 1) AS pages FROM {table}
), shaped AS (
    SELECT rows, pages,
        greatest(least(32, rows / pages / 2, rows / {batch}), 1)::integer AS stripes FROM counted
), cut AS (
    SELECT rows, pages, stripes, greatest(ceil({batch} * stripes / greatest(
        rows::numeric / pages, 0.01)), 1)::bigint AS length FROM shaped
), totalled AS (
    UPDATE {_STATE}.rename SET rows_total = (SELECT rows FROM counted) WHERE key = {key}
)
INSERT INTO {_STATE}.range (key, relation, file, first_page, end_page, stripes, page, rows_expected)
SELECT {key}, {literal(table)}::regclass, pg_relation_filenode({literal(table)}), p,
    least(p + length, pages), stripes, p,
    (rows::numeric * least(p + length, pages) / pages)::bigint
        - (rows::numeric * p / pages)::bigint
FROM cut, generate_series(0, pages - 1, length) AS p
ON CONFLICT DO NOTHING"""


def _backfill(names: Names) -> str:
    """Return the loop: a COMMIT after every batch, its progress in it."""
    old, new = quote(names.old), quote(names.new)
    return _do(f"""DECLARE
    part record;
    filled bigint;
BEGIN
    PERFORM set_config('invoicing.backfill', 'on', false);
    PERFORM set_config('synchronous_commit', 'off', false);
    BEGIN
        PERFORM set_config('session_replication_role', 'replica', false);
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'the table''s own update triggers fire for every row';
    END;
    LOOP
        SELECT * INTO part FROM {_STATE}.range
        WHERE key = {literal(names.key)} AND stripe < stripes ORDER BY first_page LIMIT 1;
        EXIT WHEN NOT FOUND;
        UPDATE {names.relation} SET {new} = {old}
        WHERE ctid >= format('(%s,0)', part.first_page)::tid
            AND ctid < format('(%s,0)', part.end_page)::tid
            AND {new} IS NULL AND {old} IS NOT NULL
            AND get_byte(tidsend(ctid), 5) % part.stripes = part.stripe;
        GET DIAGNOSTICS filled = ROW_COUNT;
        UPDATE {_STATE}.range SET stripe = stripe + 1, rows_updated = rows_updated + filled
        WHERE key = part.key AND relation = part.relation AND first_page = part.first_page;
        COMMIT;
    END LOOP;
    PERFORM set_config('session_replication_role', 'origin', false)
    WHERE current_setting('session_replication_role') <> 'origin';
    PERFORM set_config('synchronous_commit', 'on', false);
    PERFORM set_config('invoicing.backfill', '', false);
END
""")


def _not_null(names: Names, column: Column) -> list[str]:
    """Return what makes the column NOT NULL on any version: by a check that proves it."""
    if not column.not_null:
        return []
    add, validate, settle = by_check(names.relation, names.new, names.not_null_check)
    drop = f"ALTER TABLE {names.relation} DROP CONSTRAINT IF EXISTS {quote(names.not_null_check)}"
    return [drop, *add, *validate, *_transaction(*settle)]


def _refuse_difference(names: Names, column: Column) -> str:
    differ = distinct(column, quote(names.old), quote(names.new))
    message = f"rows of {names.table} differ in {names.old} and {names.new}"
    return _do(
        "BEGIN\n"
        + _raise(
            f"EXISTS (SELECT FROM {names.relation} WHERE {differ})",
            message,
            f"To see how many, and what to do, run: {names.command('verify')}",
        )
        + "END\n"
    )


def _refuse_loss(names: Names, column: Column) -> str:
    old, new = quote(names.old), quote(names.new)
    differ = distinct(column, old, new)
    return _do(
        "BEGIN\n"
        + _raise(
            f"EXISTS (SELECT FROM {names.relation} WHERE {new} IS NOT NULL AND {differ})",
            f"{names.table}.{names.new} has values that {names.old} has not",
            f"Run first: {names.command('restore')}",
        )
        + "END\n"
    )


def _forget(names: Names, condition: str) -> str:
    """Delete the rename's row, and the schema with the last one."""
    return _do(
        f"BEGIN\n    IF {condition} THEN\n"
        f"        DELETE FROM {_STATE}.rename WHERE key = {literal(names.key)};\n"
        f"        IF NOT EXISTS (SELECT FROM {_STATE}.rename) THEN\n"
        f"            DROP SCHEMA {_STATE} CASCADE;\n        END IF;\n"
        f"    END IF;\nEND\n"
    )


def _refuse_rows(names: Names) -> str:
    confirm = f"{names.table}.{names.old}"
    said = shlex.quote(f"confirm={confirm}")
    return _do(
        "BEGIN\n"
        + _raise(
            f"EXISTS (SELECT FROM {names.relation})",
            f"{confirm} has rows, and dropping it was not confirmed",
            f"Write the script with: alembic -x {said} upgrade --sql ...",
        )
        + "END\n"
    )


def _watch(names: Names, options: Options) -> str:
    """Refuse while old code still writes: the counter has to stand still."""
    counter = f"(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {names.sequence})"
    message = f"old code still writes {names.table}.{names.old}"
    return _do(
        f"DECLARE\n    before bigint := {counter};\nBEGIN\n"
        f"    IF EXISTS (SELECT FROM {names.relation}) THEN\n"
        f"        PERFORM pg_sleep({options.quiet});\n    END IF;\n"
        + _raise(f"{counter} <> before", message, "End it, then run this again.")
        + "END\n"
    )
