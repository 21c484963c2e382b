"""A change of the type from wherever it stands to where only the contract is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.model import Phase

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from invoicing.toolkit.rename.model import BackfillReport, Plan, Progress, Status, VerifyReport
    from invoicing.toolkit.rename.rename import Rename

_UNFILLED = frozenset({Phase.EXPANDED, Phase.BACKFILLING})
_VERIFIED = frozenset({Phase.VERIFIED, Phase.CONTRACTING})


class Beginning(NamedTuple):
    """Where a change stands when it is asked for.

    Attributes:
        plan: None where it is under way, or over and no other type was asked for.
        over: whether the column has the type that was asked for.
    """

    status: Status
    plan: Plan | None
    over: bool


class Walked(NamedTuple):
    """How far it came; what did not run is None, and a report that is not `ok` ended it."""

    backfill: BackfillReport | None = None
    verify: VerifyReport | None = None

    @property
    def verified(self) -> bool:
        """Return whether the contract may be asked for."""
        stopped = self.backfill is not None and not self.backfill.completed
        return not stopped and (self.verify is None or self.verify.ok)


async def look(change: Rename) -> Beginning:
    """Say where it stands, and what would happen."""
    status = await change.status()
    if status.phase is Phase.CONTRACTED and change.options.type is None:
        return Beginning(status, None, over=True)
    if status.phase not in {Phase.NONE, Phase.CONTRACTED}:
        return Beginning(status, None, over=False)
    plan = await change.plan()
    over = any(finding.slug == "same-type" for finding in plan.refusals)
    return Beginning(status, plan, over)


async def walk(
    change: Rename,
    progress: Callable[[Progress], None] | None = None,
    stop: asyncio.Event | None = None,
) -> Walked:
    """Expand, backfill and verify, but for what is done already.

    Raises:
        RenameRefusedError: the plan refuses it.
        UsageError: it was begun with another type.
    """
    phase = (await change.status()).phase
    filled = verified = None
    if phase is not Phase.CONTRACTING:
        await change.expand()  # begun, it refuses another type, and repairs
        phase = (await change.status()).phase
    if phase in _UNFILLED:
        filled = await change.backfill(progress=progress, stop=stop)
        if not filled.completed:
            return Walked(filled)
    if phase not in _VERIFIED:
        verified = await change.verify()
    return Walked(filled, verified)
