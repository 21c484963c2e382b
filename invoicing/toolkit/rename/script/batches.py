"""The backfill of a script: ranges of pages as a run cuts them, and a COMMIT after every batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.columns.stripes import (
    RANGES,
    cut_statement,
    forget_rewritten,
    in_stripe,
)
from invoicing.toolkit.rename.columns.sync import unfilled
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.retype import conversion
from invoicing.toolkit.rename.script.blocks import CLIENT_PATH, do, locked
from invoicing.toolkit.rename.script.types import load_words

if TYPE_CHECKING:
    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

_RENAMES = f"{quote(STATE)}.rename"
# A crash may lose the last batches with their progress. In a deadlock the batch gives way.
_BATCHES = """DECLARE
    part record;
    filled bigint;
    tries integer := 0;
    silent boolean := true;
    path text := {path};
    statement text;
    types jsonb;
BEGIN
    IF pg_catalog.to_regclass('{ranges}') IS NULL THEN
        RETURN;
    END IF;
    LOOP
        PERFORM pg_catalog.set_config('search_path', path, true);
        PERFORM set_config('synchronous_commit', 'off', true),
            set_config('invoicing.backfill', 'on', true),
            set_config('lock_timeout', least(200, greatest(s.setting::int / 2, 1)) || 'ms', true)
        FROM pg_settings AS s WHERE s.name = 'deadlock_timeout';
        IF silent THEN
            BEGIN
                PERFORM set_config('session_replication_role', 'replica', true);
            EXCEPTION WHEN insufficient_privilege THEN
                silent := false;
                RAISE WARNING 'the table''s own update triggers fire for every row';
            END;
        END IF;
{locked}
        IF statement IS NULL THEN
            statement := {update};
{words}        END IF;
        SELECT r.* INTO part FROM {ranges} AS r JOIN {renames} AS n USING (key)
        WHERE r.key = {key} AND n.phase = {expanded} AND r.stripe < r.stripes
        ORDER BY r.first_page LIMIT 1;
        EXIT WHEN NOT FOUND;
        BEGIN
            EXECUTE statement USING part.first_page, part.end_page, part.stripes, part.stripe;
            GET DIAGNOSTICS filled = ROW_COUNT;
            UPDATE {ranges} SET stripe = stripe + 1, rows_updated = rows_updated + filled
            WHERE key = part.key AND relation = part.relation AND first_page = part.first_page;
            tries := 0;
        EXCEPTION WHEN lock_not_available OR deadlock_detected OR serialization_failure THEN
            tries := tries + 1;
            IF tries > {tries} THEN
                RAISE EXCEPTION USING ERRCODE = 'lock_not_available',
                    MESSAGE = {message}, HINT = {hint};
            END IF;
        END;
        COMMIT;
        IF tries > 0 THEN
            PERFORM pg_catalog.pg_sleep({rest});
        END IF;
    END LOOP;
END
"""


def cut(names: Names, options: Options) -> list[str]:
    """Cut the table into ranges; nothing happens when it is cut and was not rewritten since."""
    key = literal(names.key)
    # A script has one worker.
    ranges = cut_statement(names.key, names.relation, names.relation, replace(options, workers=1))
    total = f"(SELECT coalesce(sum(rows_expected), 0) FROM {RANGES} WHERE key = {key})"
    counted = f"UPDATE {_RENAMES} SET rows_total = {total} WHERE key = {key}"
    return [forget_rewritten(names.key), ranges, counted]


def backfill(names: Names, options: Options) -> str:
    """Return the loop; a batch that meets a locked row is tried again, for a while."""
    old, new = quote(names.old), quote(names.new)
    # Not in the loop: a column may be called as one of its variables. A row of NULLs is no NULL.
    update = (
        f"UPDATE {names.relation} SET {new} = {conversion.to_new(names, old)}"
        " WHERE ctid >= format('(%s,0)', $1)::tid AND ctid < format('(%s,0)', $2)::tid"
        f" AND {unfilled(names)} AND {in_stripe('$3', '$4')}"
    )
    return do(
        _BATCHES.format(
            path=CLIENT_PATH.format("pg_catalog.current_setting('search_path')"),
            ranges=RANGES,
            renames=_RENAMES,
            key=literal(names.key),
            locked=locked(names),
            expanded=literal(Phase.EXPANDED),
            update=literal(update),
            words=load_words(names),
            tries=3 * options.lock_attempts,
            message=literal(f"rows of {names.table} stay locked by another session"),
            hint=literal("Run the script again once they are released: it goes on from there."),
            rest=options.lock_timeout,
        )
    )


def filled(names: Names) -> list[str]:
    """Return what says that the last batch is done, if it is."""
    done = (
        f" AND NOT EXISTS (SELECT FROM {RANGES} AS r WHERE r.key = {literal(names.key)}"
        " AND r.stripe < r.stripes)"
    )
    # Extended statistics of other columns, too, are none of this one's, which is said as a warning.
    quiet = "SET LOCAL client_min_messages = error"
    analyze = f"ANALYZE {names.relation} ({quote(names.new)})"
    return [quiet, analyze, state.set_phase(names, Phase.BACKFILLED) + done]
