"""The header of a revision that expands or contracts: what it locks, and when it is to run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.model import Options, Target
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH = 79
_EXPAND = """
Phase: expand
Locks: ACCESS EXCLUSIVE on {table} for milliseconds, three times (the column and its triggers; NOT \
NULL, not validated; before PostgreSQL 18 once more, to settle it). Each waits at most \
lock_timeout ({lock_timeout:g} s) a try, and the first tries far less. A batch locks its own \
rows for about a tenth of a second. Indexes and validation block no session.
Deploy sequence:
    1. Look first: {plan}
    2. Run this migration while old code runs: alembic upgrade {revision}
       It adds {new} (nullable) and triggers that keep both columns equal, fills it in batches of \
{batch_size:,} rows, each committed by itself, compares every row, and {settled}. Watch it from \
elsewhere: {status}
    3. Deploy the code that maps {new}, in one go or pod by pod. Not before this migration has \
ended: new code that computes from {new} would find NULL in rows that are not filled yet; the \
triggers refuse such a write.
    4. Once no old code runs, go on with the contract.
Old code keeps working because: {old} stays as it is; whatever is written to either column is \
written to the other by the triggers, also by COPY, upserts and replication.{types}
If interrupted: every batch that was committed is kept, and the table works for old and new code. \
Run it again: it goes on where it was. `alembic downgrade` drops {new} and the triggers.

Options: -x batch_size=5000 -x workers=1 -x pause=0 -x max_replica_lag=10
    -x lock_timeout=2s
With --sql this is a script for psql that commits every batch.
"""
_CONTRACT = """
Phase: contract
DESTRUCTIVE: {old} is dropped with its values, and code that names it fails from then on. The \
downgrade adds the column again and fills it from {new} in batches, as the expand does. Its script \
(--sql) adds it empty; then run: {restore}
Not restored: functions, triggers and sequences of the rename. What comes back is the column, and \
the downgrade of the expand takes all of it away.
Locks: ACCESS EXCLUSIVE on {table} for milliseconds, once; it waits at most lock_timeout \
({lock_timeout:g} s) a try, and the first tries far less.
Deploy sequence:
    1. The expand ({expand}) has run to its end.
    2. The code that maps {new} is deployed everywhere, and no old code runs any more: no old pod, \
no job, no report, no console.
    3. Run this migration, with the name of what is dropped:
       alembic -x {confirm} upgrade {revision}
       It is refused without that, while rows differ, while anything still depends on {old}, and \
while old code still writes it: the triggers' counter has to stand still for {quiet:g} s (-x \
quiet={quiet:g}), and no statement that pg_stat_statements knows may name the column meanwhile. An \
empty table needs no confirmation and no wait: there is nothing to lose.
Old code keeps working because: it does not. That is why nothing of it may run any more. New code \
notices nothing: its statements name their columns, so that their cached plans stay valid.
If interrupted: {old} is there as before, or is gone; run it again. It is one transaction.
"""
_EXPAND_TYPE = """
Phase: expand
Locks: ACCESS EXCLUSIVE on {table} for milliseconds, three times (the second column and its \
triggers; NOT NULL, not validated; before PostgreSQL 18 once more, to settle it). Each waits at \
most lock_timeout ({lock_timeout:g} s) a try, and the first tries far less. A batch locks its own \
rows for about a tenth of a second. Indexes and validation block no session.
Deploy sequence:
    1. Look first: {plan}
    2. Run this migration while clients go on: alembic upgrade {revision}
       It adds a column that no client knows, of type {type}, and triggers that let it follow \
{old}; fills it in batches of {batch_size:,} rows, each committed by itself; builds on it what \
{old} has; and compares every row. Watch it from elsewhere: {status}
    3. Deploy code that is ready for {type}: drivers and models that would cut a value off.
    4. Go on with the contract.
Old code keeps working because: {old} stays as it is, and its statements too. A value that {type} \
cannot hold, or that cannot be converted back, is an error to the writer until the contract.
If interrupted: every batch that was committed is kept. Run it again: it goes on where it was. \
`alembic downgrade` drops the second column and the triggers.

Options: -x batch_size=5000 -x workers=1 -x pause=0 -x max_replica_lag=10
    -x lock_timeout=2s
With --sql this is a script for psql that commits every batch.
"""
_CONTRACT_TYPE = """
Phase: contract
DESTRUCTIVE: {old} is dropped with its values, and the column of type {type} gets its name; what \
its former type alone could hold is gone. The downgrade changes the type back in the same way, \
online and to the end, and stops at a value that the former type cannot hold.
Locks: ACCESS EXCLUSIVE on {table} and the tables that refer to {old}, for milliseconds, once; it \
waits at most lock_timeout ({lock_timeout:g} s) a try, and the first tries far less.
Deploy sequence:
    1. The expand ({expand}) has run to its end.
    2. Run this migration, with the name of what is changed:
       alembic -x {confirm} upgrade {revision}
       It is refused without that, while rows differ, and while views, rules or policies name \
{old}: drop those right before, create them again after it. An empty table needs no confirmation.
    3. Restart clients that keep prepared statements for long: each that returns {old} gets \
"cached plan must not change result type" (SQLSTATE 0A000) until its driver prepares it anew.
Old code keeps working because: {old} keeps its name, and no session ever misses it.
If interrupted: {old} has its former type, or the new one; run it again. It is one transaction.
"""


_TYPES = """
Type: {new} is {type}{ways}. A write by either name is converted for the other; a value that the \
other column cannot hold is an error to the writer, until the contract."""


def expand_header(target: Target, revision: str, options: Options, *, nullable: bool) -> str:
    """Return what the revision of an expand says of itself."""
    settled = "copies its indexes" if nullable else "adds NOT NULL"
    types = ""
    if options.type is not None:
        ways = ", ".join(
            f"{name} {visible(value)}"
            for name in ("using", "back")
            if (value := getattr(options, name))
        )
        types = _TYPES.format(
            new=visible(target.new), type=visible(options.type), ways=f" ({ways})" if ways else ""
        )
    plan = target.command("plan", replace(options, batch_size=Options.batch_size))
    more = {"types": types, "plan": visible(plan), "batch_size": options.batch_size}
    return _filled(_EXPAND, target, revision, settled=settled, **more)


def expand_type_header(target: Target, revision: str, options: Options) -> str:
    """Return what the revision says of itself that expands a change of the type alone."""
    plan = target.command("plan", replace(options, batch_size=Options.batch_size))
    more = {"plan": visible(plan), "type": visible(str(options.type))}
    return _filled(_EXPAND_TYPE, target, revision, batch_size=options.batch_size, **more)


def contract_type_header(target: Target, revision: str, expand: str, options: Options) -> str:
    """Return the same of its contract; `expand` is the other's id."""
    shown = visible(str(options.type))
    return _filled(_CONTRACT_TYPE, target, revision, expand=expand, type=shown)


def contract_header(target: Target, revision: str, expand: str) -> str:
    """Return what the revision of a contract says of itself; `expand` is the other's id."""
    return _filled(_CONTRACT, target, revision, expand=expand)


def _filled(text: str, target: Target, revision: str, **more: object) -> str:
    usual = Options()
    where = f"{target.schema}.{target.table}" if target.schema else target.table
    commands: dict[str, object] = {verb: target.command(verb) for verb in ("status", "restore")}
    confirm = shlex.quote(f"confirm={target.table}.{target.old}")
    facts: dict[str, object] = {
        "table": where,
        "old": target.old,
        "new": target.new,
        "revision": revision,
        "confirm": confirm,
        "lock_timeout": usual.lock_timeout,
        "quiet": usual.quiet,
    }
    shown = {
        name: visible(value) if isinstance(value, str) else value
        for name, value in (commands | facts).items()
    }
    return "\n".join(_wrapped(text.strip().format(**shown, **more).splitlines()))


def _wrapped(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        indent = len(line) - len(line.lstrip())
        hanging = (
            indent + 3 if line.lstrip()[:2] in {f"{n}." for n in range(1, 5)} else max(indent, 4)
        )
        wrapper = TextWrapper(
            _WIDTH,
            subsequent_indent=" " * hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from wrapper.wrap(line) or [""]
