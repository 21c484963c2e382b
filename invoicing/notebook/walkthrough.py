"""A rename walked through in a notebook: each phase asked for, watched, and undone if need be.

In practice it works on a database of its own, with clients of old and new code at work on it. On a
real one there is no traffic but the real one, and each phase asks first; where no question can be
asked, no column is dropped unless it is named. Either way the database knows how far it has come: a
kernel that was restarted in the middle continues from there.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self, TypeVar

from invoicing.db import Database
from invoicing.db.url import beside
from invoicing.errors import UsageError
from invoicing.notebook.closing import closing_button
from invoicing.notebook.confirm import confirm, is_attended
from invoicing.notebook.gate import seen_closed, wait_for_gate
from invoicing.notebook.panel import RenamePanel
from invoicing.notebook.place import find_place
from invoicing.notebook.practising import join_practice, own_practice
from invoicing.notebook.progress import ProgressDisplay
from invoicing.notebook.waiting import interruptible, until_stopped
from invoicing.practice import Traffic, try_under_traffic
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.consequences import PHASES, consequences, dropped
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from ipywidgets import VBox
    from sqlalchemy.engine import URL

    from invoicing.notebook.practising import Leftover, PracticeDatabase
    from invoicing.practice import CodeVersion, TrafficFigures, Trial
    from invoicing.toolkit.rename import BackfillReport, GateReport, Progress, Status

Result = TypeVar("Result")
_MB = 1_000_000
# In practice only the traffic runs old code, and it writes many times a second.
_PRACTICE_QUIET = 1.0
# What this kernel has open, by its address: the set-up cell may be run again.
_OPEN: dict[str, Walkthrough] = {}


@dataclass
class Walkthrough:
    """One rename in a notebook.

    Attributes:
        database: where.
        rename: what.
        practice: whether the database is one of our own, made for this.
        unattended: on a real database, whether a phase may run where no question can be asked; the
            contract may not.
        confirm_contract: what the contract may drop there all the same: `invoice.amt`.
        traffic: the clients at work; None on a real database, and before `start_traffic`.
        figures: how the traffic fared in each phase.
        began: when each phase began, in seconds since the traffic did.
    """

    database: Database
    rename: Rename
    practice: bool
    unattended: bool = False
    confirm_contract: str = ""
    traffic: Traffic | None = None
    figures: dict[str, TrafficFigures] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    _own: PracticeDatabase | None = None
    _panel: RenamePanel | None = None
    _beside: PracticeDatabase | None = None

    @classmethod
    async def open(
        cls,
        target: Target,
        options: Options | None = None,
        *,
        database: str = "",
        practice: str = "rename_practice",
        rows: int = 20_000,
        leftover: Leftover = "ask",
        unattended: bool = False,
        confirm_contract: str = "",
    ) -> Self:
        """Open a practice database, or a real one.

        Args:
            target: what is renamed.
            options: how; in practice an hour's patience is not needed.
            database: a real one: its URL, or `DATABASE_URL` for the one that variable names. Empty
                for practice, on the server of DATABASE_URL or the embedded one.
            practice: the practice database's name. A run without a person has one of its own,
                and so has each of two notebooks that are open at once.
            rows: how many it is made with.
            leftover: what becomes of one that an earlier run has left in the middle of a rename:
                `ask`, `go on` or `begin anew`.
            unattended: on a real database, whether a phase may run where no question can be
                asked; it stops before the contract.
            confirm_contract: the column that the contract may drop there, as `invoice.amt`.
        """
        own = None
        if database:
            url = database if database != "DATABASE_URL" else await asyncio.to_thread(database_url)
            opened = Database(url)
        else:
            url = await _practice_url(practice)
            if (earlier := _OPEN.pop(str(url), None)) is not None:
                await earlier.leave()
            own = await own_practice(url, target, rows=rows, leftover=leftover)
            opened = own.database
            options = replace(options or Options(), quiet=_PRACTICE_QUIET)
        rename = Rename(opened, target, options)
        walk = cls(opened, rename, not database, unattended, confirm_contract, _own=own)
        if own is not None:
            _OPEN[str(url)] = walk
        return walk

    async def try_ways(
        self, ways: Mapping[str, Sequence[str]], *, deploy: Collection[str] = ()
    ) -> dict[str, Trial]:
        """Try statements under live traffic, each way on a small database that is thrown away.

        Args:
            ways: the statements of each way, by its name.
            deploy: the ways after which new code takes over.

        Raises:
            UsageError: on a real database, where nothing is tried.
        """
        if not self.practice:
            message = "cannot try what fails on a real database. Nothing was run there"
            raise UsageError(message)
        trials = {}
        for number, (way, statements) in enumerate(ways.items()):
            url = beside(self.database.url, f"{self.database.url.database}_{number}")
            trials[way] = await try_under_traffic(url, statements, deploy=way in deploy)
        return trials

    async def start_traffic(self, *, clients: int = 6, rate: float = 60.0) -> None:
        """In practice, put clients of old code to work; on a real database they are there."""
        if self.practice and self.traffic is None:
            self.traffic = await Traffic(self.database.url, clients=clients, rate=rate).__aenter__()

    def join(self, code: CodeVersion, clients: int, *, blind: bool = False) -> None:
        """In practice, let clients of `code` join."""
        if self.traffic is not None:
            self.traffic.join(code, clients, blind=blind)

    async def run(
        self, phase: str, work: Callable[[], Awaitable[Result]], *, typed: str | None = None
    ) -> Result | None:
        """Run one phase and take down how the traffic fared; on a real database, ask first.

        Args:
            phase: its name.
            work: what to await; an interrupt cancels it.
            typed: a text to type before it can be said yes to; for what drops a column it is that
                column, as `table.column`, if none is given.
        """
        if not await self._may(phase, typed):
            print(f"{phase}: not done{self._advice(phase)}")
            return None
        mark = None
        if self.traffic is not None:
            mark = self.traffic.mark()
            self.began[phase] = self.traffic.elapsed
        async with interruptible():
            result = await work()
        if self.traffic is not None:
            self.figures[phase] = self.traffic.figures(mark)
        return result

    async def backfill(self, *, batches: int | None = None) -> BackfillReport | None:
        """Fill the new column and show how far it is; an interrupt stops it between two batches.

        Args:
            batches: how many to do at most; None for all.
        """
        stop = asyncio.Event()
        return await self.run("backfill", lambda: self._filled(stop, batches))

    async def deploy(self, code: CodeVersion, *, over: float = 1.0) -> None:
        """Let every client run `code`; on a real database, wait until the reader says they do."""
        if self.traffic is None:
            await self.run(f"deploy of {code.name} code (do it now)", lambda: asyncio.sleep(0))
            return
        traffic = self.traffic
        await self.run(f"deploy of {code.name} code", lambda: traffic.deploy(code, over=over))
        await traffic.drain(traffic.old if code == traffic.new else traffic.new)

    async def gate(self) -> GateReport | None:
        """Ask what blocks the contract; in practice old code that is at work has written first."""
        return await seen_closed(self.rename, self.traffic)

    async def quiet(self, limit: float | None = None) -> bool:
        """Wait until the gate is open: no old code writes, and it has been so for a while.

        Args:
            limit: seconds to wait at most; then it says what it still waits for. By default a
                minute, and twice as long as it has to be quiet.

        Returns:
            Whether it is open.
        """
        return await wait_for_gate(self.rename, limit)

    async def panel(self, *, practice: str = "rename_buttons", rows: int = 20_000) -> VBox:
        """Return buttons for the phases, and where the rename stands, whoever is at work on it.

        Called again, it returns the same ones, and what they have begun goes on.

        Args:
            practice: in practice it is another database, made if it is not there, with this name.
            rows: how many it is made with.
        """
        if self._panel is not None:
            return self._panel.widget
        rename, own = self.rename, None
        if self.practice:
            if self._beside is None:
                self._beside = await join_practice(await _practice_url(practice), rows=rows)
            own = self._beside
            rename = Rename(own.database, rename.target, rename.options)
        self._panel = RenamePanel(
            rename, practice=self.practice, renew=None if own is None else own.renew
        )
        return await self._panel.open()

    async def stop_traffic(self) -> None:
        """Let every client end its last request."""
        if self.traffic is not None:
            await self.traffic.stop()

    async def close(self) -> str:
        """End everything; a practice database is dropped, unless another notebook has it open.

        Returns:
            What became of the practice databases.
        """
        return await self._end("the notebook was closed", drop=True)

    async def leave(self) -> None:
        """End everything, and leave the practice databases as they are."""
        await self._end("the set-up cell was run again", drop=False)

    async def end(self) -> VBox | None:
        """Close, where no person can click; else return a button that does.

        Until it is clicked, everything above can be: nothing that it needs is closed.
        """
        if is_attended():
            return closing_button(self.close, practice=self.practice)
        await self.close()
        return None

    async def _end(self, why: str, *, drop: bool) -> str:
        panel, self._panel = self._panel, None
        if panel is not None:
            await panel.close(why)
        await self.stop_traffic()
        practised = filter(None, (self._own, self._beside))
        said = [await database.close(drop=drop) for database in practised]
        self._own = self._beside = None
        await self.database.dispose()
        for address in [address for address, walk in _OPEN.items() if walk is self]:
            del _OPEN[address]
        return "; ".join(said)

    async def _may(self, phase: str, typed: str | None) -> bool:
        if self.practice:
            return True
        typed = typed or dropped(self.rename, phase)
        named = self.confirm_contract if phase == "contract" and self.unattended else ""
        question = f"{phase} of {self.rename.target} in {await find_place(self.database)}?"
        if phase in PHASES:
            question = f"{question} {await consequences(self.rename, phase)}"
        unattended = self.unattended if typed is None else named
        return await confirm(question, unattended=unattended, typed=typed)

    def _advice(self, phase: str) -> str:
        name = dropped(self.rename, phase)
        if name is None or is_attended():
            return ""
        command = self.rename.target.command(phase, self.rename.options, "--confirm", name)
        also = f', or name it: confirm_contract = "{name}"' if phase == "contract" else ""
        return visible(f". Run it where it can ask you, or run: {command}{also}")

    async def _filled(self, stop: asyncio.Event, batches: int | None) -> BackfillReport:
        with ProgressDisplay("Backfill") as display:
            watch = _Watch(self, display, stop, batches)
            sizes = asyncio.create_task(watch.follow_sizes())
            try:
                work = self.rename.backfill(progress=watch.note, stop=stop)
                report = await until_stopped(work, stop.set)
            finally:
                display.ending = "stopped between two batches; run it again to continue"
                sizes.cancel()
            if report.completed:
                display.ending = "complete"
            return report


class _Watch:
    """What stands beside the bar of a backfill."""

    def __init__(
        self, walk: Walkthrough, display: ProgressDisplay, stop: asyncio.Event, batches: int | None
    ) -> None:
        self._walk = walk
        self._display = display
        self._stop = stop
        self._batches = batches
        self._noted = 0
        self._status: Status | None = None
        self._mark = walk.traffic.mark() if walk.traffic else None

    def note(self, progress: Progress) -> None:
        """Show one batch's progress; stop after as many as were asked for."""
        self._noted += 1
        if self._noted == self._batches:
            self._stop.set()
        facts = {"left": f"{progress.rows_left:,}", "rate": f"{progress.rate:,.0f} rows/s"}
        facts["ETA"] = "unknown" if progress.eta is None else f"{progress.eta:,.0f} s"
        if progress.waiting:
            facts["waiting"] = progress.waiting
        if self._walk.traffic is not None:
            p99 = self._walk.traffic.figures(self._mark).p99
            facts["p99 of the traffic"] = f"{1000 * p99:.1f} ms"
        if self._status is not None:
            facts["table"] = f"{self._status.table_bytes / _MB:,.1f} MB"
            facts["indexes"] = f"{self._status.index_bytes / _MB:,.1f} MB"
        self._display.show(progress.rows_done, progress.rows_total, facts)

    async def follow_sizes(self) -> None:
        """Ask for the sizes once a second."""
        while True:
            self._status = await self._walk.rename.status()
            await asyncio.sleep(1)


async def _practice_url(name: str) -> URL:
    url = await asyncio.to_thread(database_url)
    # What a person has begun is not what a run without anybody to ask makes anew.
    return beside(url, f"{url.database}_{name}{'' if is_attended() else '_unattended'}")
