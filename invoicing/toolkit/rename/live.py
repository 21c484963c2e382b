"""What another session sets for a backfill that runs: paused, or at another speed.

It is kept in the rename's row, which a running backfill reads about twice a second. It needs no
lock of the rename's: whoever may write that row may set it, and it counts until it is set anew,
for the next run too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.rename import state
from invoicing.toolkit.rename.errors import RenamePhaseError
from invoicing.toolkit.rename.journal import operator_name
from invoicing.toolkit.rename.model import Options, Phase
from invoicing.toolkit.rename.names import MARK, STATE, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.names import Names

_KEY = "live"
_SET = f"""
UPDATE {MARK} {quote(STATE)}.rename
SET definition = definition || jsonb_build_object('{_KEY}', $2::text::jsonb
    || jsonb_build_object('set_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')))
WHERE key = $1
"""
_READ = f"SELECT definition -> '{_KEY}' FROM {quote(STATE)}.rename WHERE key = $1"
# Phases in which there is, or will be, a backfill to set something for.
_OPEN = frozenset({Phase.EXPANDING, Phase.EXPANDED, Phase.BACKFILLING})


@dataclass(frozen=True)
class LiveSettings:
    """What was set from elsewhere; None where the backfill's own option counts.

    Attributes:
        paused: whether it waits between two batches until it is resumed.
        pause, batch_size, target, max_replica_lag, latency_guard, max_active, max_wal_rate: as in
            `Options`.
        set_by: who set it last, as `user@host`; None where it was never set.
        set_at: when, in UTC.
    """

    paused: bool = False
    pause: float | None = None
    batch_size: int | None = None
    target: float | None = None
    max_replica_lag: float | None = None
    latency_guard: float | None = None
    max_active: int | None = None
    max_wal_rate: float | None = None
    set_by: str | None = None
    set_at: str | None = None

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the options that can be set here."""
        options = {option.name for option in fields(Options)}
        return [field.name for field in fields(cls) if field.name in options]

    @property
    def changes(self) -> dict[str, Any]:
        """Return the options that are set here."""
        values = {name: getattr(self, name) for name in self.names()}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, options: Options) -> Options:
        """Return the options that count."""
        return replace(options, **self.changes)

    def __str__(self) -> str:
        """Return it for a line of a status; empty where nothing is set."""
        parts = ["paused"] if self.paused else []
        parts += [f"{name.replace('_', '-')} {value:g}" for name, value in self.changes.items()]
        return f"{', '.join(parts)} (by {self.set_by}, {self.set_at} UTC)" if parts else ""


def parse(noted: dict[str, Any] | None) -> LiveSettings:
    """Return what a rename's row has noted."""
    known = {field.name for field in fields(LiveSettings)}
    return LiveSettings(**{name: value for name, value in (noted or {}).items() if name in known})


def noted(found: state.State | None) -> LiveSettings:
    """Return what is set for a rename."""
    return parse(found.definition.get(_KEY) if found is not None else None)


async def read(connection: Connection, names: Names) -> LiveSettings:
    """Return what is set now."""
    value = await connection.fetchval(_READ, names.key)
    return parse(json.loads(value) if isinstance(value, str) else value)


async def change(context: RenameContext, asked: str, **changes: Any) -> LiveSettings:
    """Set what is given, keep the rest, and return what counts from now on.

    While the old column is restored, the backfill is that of the way back.

    Raises:
        RenamePhaseError: no backfill runs or is still to come.
        UsageError: a value that no backfill could be given.
    """
    connection, names, target = context.connection, context.names, context.target
    found = await state.load(connection, names)
    back = await state.load(connection, names.reversed())
    if (found is None or found.phase not in _OPEN) and back is not None and back.phase in _OPEN:
        names, found = names.reversed(), back
    phase = Phase.NONE if found is None else found.phase
    # What counts for the next run, after a contract too, may be taken back at any time.
    resets = found is not None and changes and not any(changes.values())
    if phase not in _OPEN and not resets:
        advice = f"Only a backfill can be. Run: {target.command('status')}"
        raise RenamePhaseError(str(target), phase, asked, advice)
    settings = replace(noted(found), **changes, set_by=operator_name())
    settings.over(Options())
    values = asdict(settings)
    del values["set_at"]
    await connection.execute(_SET, names.key, json.dumps(values))
    return await read(connection, names)
