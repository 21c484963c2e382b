"""A rename by buttons: the board of where it stands, whoever is at work on it.

What is shown comes from the database, once a second. So the cell can be run again after a restart
of the kernel, or in a second notebook, and finds the rename as it is: at rest, or at work in a
terminal. While the database does not answer, the board is greyed and dated, and nothing can be
clicked.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets

from invoicing.notebook import board
from invoicing.notebook.board import Counted
from invoicing.notebook.callbacks import Callbacks, reason_of
from invoicing.notebook.confirm import Question
from invoicing.notebook.place import find_place
from invoicing.notebook.speed import SpeedControls
from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.consequences import consequences, dropped
from invoicing.toolkit.rename.facts import size
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from invoicing.notebook.place import DatabasePlace
    from invoicing.toolkit.rename import BackfillReport, Progress, Rename, Snapshot, Status

# What may be clicked in each phase; the first is what comes next.
_OFFERED = {
    Phase.NONE: ("expand",),
    Phase.EXPANDING: ("expand", "rollback"),
    Phase.EXPANDED: ("backfill", "rollback"),
    Phase.BACKFILLING: ("backfill", "rollback"),
    Phase.BACKFILLED: ("verify", "rollback"),
    Phase.VERIFYING: ("verify", "backfill", "rollback"),
    Phase.VERIFIED: ("gate", "contract", "verify", "rollback"),
    Phase.CONTRACTING: ("contract",),
    Phase.CONTRACTED: ("restore",),
    Phase.ROLLING_BACK: ("rollback",),
    Phase.REVERSED: ("restore",),
}
_LABELS = {
    "expand": "Expand",
    "backfill": "Backfill",
    "stop": "Stop",
    "verify": "Verify",
    "gate": "Check gate",
    "contract": "Contract",
    "rollback": "Roll back",
    "restore": "Restore",
    "count": "Count rows",
    "renew": "Begin anew",
}
_DESTRUCTIVE = ("contract", "rollback", "renew")
# What changes a table, and is asked about first where the table is a real one.
_ASKED = ("expand", "backfill", "verify", "restore")
# Phases in which there are two columns to compare.
_BOTH = frozenset(Phase) - {Phase.NONE, Phase.CONTRACTED, Phase.ROLLING_BACK}
# Tables up to this size are counted again and again, for at most a tenth of the time.
_COUNTED = 1_000_000_000
_SHARE = 10
_MOST_OFTEN = 2.0
# Seconds without an answer after which the board is stale.
_PATIENCE = 5.0
_MOMENT = 0.3
_COUNTING = "counting ..."
_READ_ONLY = (
    "<p>Read-only: the buttons are left out, and the server refuses a write "
    "(INVOICING_READ_ONLY). To have them, run: <code>invoicing app --write</code></p>"
)


class RenamePanel:
    """Buttons for the phases of one rename, its board, and what went wrong.

    A phase that has begun goes on when the page is closed; Stop ends a backfill between two
    batches. What destroys something says what it costs and asks for the name of what it drops. On a
    real database the other phases say what they will do and ask as well.

    Args:
        rename: what is renamed, where and how.
        practice: whether the database is one of our own, made to be tried on.
        interval: seconds between two looks at the database.
        renew: makes the practice database anew.
    """

    def __init__(
        self,
        rename: Rename,
        *,
        practice: bool = False,
        interval: float = 1.0,
        renew: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.rename = rename
        self.practice = practice
        self._back = rename.reversed()
        self._interval = interval
        self._renew_database = renew
        self._stop = asyncio.Event()
        self._working = self._asking = self._waiting = self._trouble = ""
        self._question: Question | None = None
        self._place: DatabasePlace | None = None
        self._snapshot: Snapshot | None = None
        self._phase = Phase.NONE
        self._counted = Counted(None)
        self._callbacks = Callbacks(spoken=True)
        self.message = self._callbacks.message
        self.where, self.head, self.facts, self.record, self.seen = (
            ipywidgets.HTML() for _ in range(5)
        )
        self.asked = ipywidgets.VBox()
        self.buttons = {
            name: ipywidgets.Button(description=label, disabled=True)
            for name, label in _LABELS.items()
        }
        for name, button in self.buttons.items():
            button.on_click(self._clicked(name))
        self.buttons["renew"].layout.display = "none" if renew is None else ""
        self.speed = SpeedControls(rename, self._callbacks, self.look)
        controls: list[ipywidgets.Widget] = [
            ipywidgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"}),
            self.speed.widget,
        ]
        if rename.database.settings.read_only:
            controls = [ipywidgets.HTML(_READ_ONLY)]
        above = [ipywidgets.HTML(board.style()), self.where, self.seen, self.head]
        below = [self.asked, self.message, self.facts, self.record]
        self.widget = ipywidgets.VBox([*above, *controls, *below])
        self.widget.add_class("invoicing-board")
        self.asked.add_class("board-asked")

    async def open(self) -> ipywidgets.VBox:
        """Look once, go on looking, and return the widget to show."""
        await self._follow_once()
        self._callbacks.start(self._follow())
        self._callbacks.start(self._follow_counts())
        return self.widget

    async def close(self, why: str = "this panel was closed") -> None:
        """Stop looking, end what is at work where it may end, and say so on the board."""
        self._stop.set()
        await self._callbacks.end()
        self._trouble = why
        if self._question is not None:
            self._question.withdraw()
        self.asked.children = ()
        self._disable()
        self._callbacks.tell("")
        self.seen.value = board.stale(
            self._snapshot, f"{why}. Run this cell again to open it", closed=True
        )

    async def look(self) -> None:
        """Show what the database says now."""
        if self._place is None:
            self._place = await find_place(self.rename.database)
            self.where.value = board.banner(self._place, practice=self.practice)
        snapshot = await self.rename.snapshot()
        self._phase = snapshot.status.phase
        if self._phase is Phase.REVERSED:
            snapshot = await self._back.snapshot()
        if self._snapshot is not None and snapshot.at < self._snapshot.at:
            return  # a later look was quicker
        self._snapshot, self._trouble = snapshot, ""
        self._show(snapshot)

    @property
    def _name(self) -> str:
        return f"{self.rename.target.table}.{self.rename.target.old}"

    def _show(self, snapshot: Snapshot) -> None:
        status = snapshot.status
        if self._question is not None and not self._is_offered(self._asking, status):
            self._question.withdraw()
        if status.phase not in _BOTH:
            self._counted = Counted(None)
        holder = status.operator
        self.head.value = board.head(snapshot, _LABELS)
        self.facts.value = board.facts(
            snapshot,
            self._counted,
            own=holder is not None and holder.pid in self.rename.pids,
            waiting=self._waiting if self._working else "",
        )
        self.record.value = board.record(snapshot.runs, self.rename.target.old)
        self.seen.value = board.seen(snapshot, max(2 * _PATIENCE, 5 * self._interval))
        self.widget.remove_class("invoicing-stale")
        self._offer(status)

    def _is_offered(self, name: str, status: Status) -> bool:
        return status.operator is None and name in (*_OFFERED[self._phase], "renew")

    def _offer(self, status: Status) -> None:
        busy = bool(self._working or self._asking) or status.operator is not None
        offered = () if busy else (*_OFFERED[self._phase], "renew")
        for name, button in self.buttons.items():
            button.disabled = name not in offered
            following = "danger" if name in _DESTRUCTIVE else "primary"
            button.button_style = following if offered[:1] == (name,) else ""
        may_stop = self._working in {"backfill", "restore"}
        self.buttons["stop"].disabled = not may_stop
        self.buttons["stop"].button_style = "warning" if may_stop else ""
        counting = self._counted.reason == _COUNTING
        self.buttons["count"].disabled = status.phase not in _BOTH or counting
        self.speed.offer(status)

    def _disable(self) -> None:
        for button in self.buttons.values():
            button.disabled, button.button_style = True, ""
        self.speed.offer(None)
        self.widget.add_class("invoicing-stale")

    def _is_stale(self, why: str) -> None:
        self._trouble = why
        if self._snapshot is not None:
            self.head.value = board.head(self._snapshot, _LABELS, stale=True)
        self._disable()
        self.seen.value = board.stale(self._snapshot, why)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._follow_once()

    async def _follow_once(self) -> None:
        look = asyncio.create_task(self.look())
        began = time.monotonic()
        try:
            while not (await asyncio.wait([look], timeout=_PATIENCE))[0]:
                waited = time.monotonic() - began
                self._is_stale(f"the database has not answered for {waited:,.0f} s")
        finally:
            look.cancel()
        error = look.exception()
        if isinstance(error, Exception):  # shown, and then tried again
            self._is_stale(reason_of(error))
        elif error is not None:
            raise error

    async def _follow_counts(self) -> None:
        while True:
            status = self._snapshot.status if self._snapshot and not self._trouble else None
            if status is not None and status.phase in _BOTH:
                if status.table_bytes <= _COUNTED:
                    await self._count()
                elif self._counted.counts is None and not self._counted.reason:
                    read = f"{size(status.table_bytes)} to read: click {_LABELS['count']}"
                    self._counted = Counted(None, reason=read)
            await asyncio.sleep(max(_MOST_OFTEN * self._interval, _SHARE * self._counted.seconds))

    async def _count(self) -> None:
        """Count the rows by state, on one snapshot; nothing waits for it."""
        began = time.monotonic()
        rename = self._back if self._phase is Phase.REVERSED else self.rename
        try:
            counts = await rename.counts()
            took = time.monotonic() - began
            at = self._snapshot.at if self._snapshot else None
            self._counted = Counted(counts, at, took)
        except Exception as error:  # noqa: BLE001 -- said where the counts would stand
            self._counted = Counted(None, reason=reason_of(error))

    def _clicked(self, name: str) -> Callable[[object], None]:
        def clicked(_: object) -> None:
            # Not twice, however fast the clicks are.
            self.buttons[name].disabled = True
            if name == "stop":
                self._callbacks.start(self._end_backfill())
            elif name == "count":
                self._callbacks.start(self._count_once())
            else:
                self._callbacks.start(self._run(name))

        return clicked

    async def _end_backfill(self) -> None:
        self._stop.set()

    async def _count_once(self) -> None:
        self._counted = Counted(None, reason=_COUNTING)
        await self._count()
        await self.look()

    async def _agreed(self, name: str) -> bool:
        """Ask, if that is to be asked; a yes counts while the rename stands where it stood."""
        typed = self.rename.target.table if name == "renew" else dropped(self.rename, name)
        if typed is None and (self.practice or name not in _ASKED):
            return True
        self._callbacks.tell("")
        question = (
            f"{_LABELS[name]} {self.rename.target} in {self._place}? {await self._cost(name)}"
        )
        self._question = Question(question, typed)
        self.asked.children = (self._question.widget,)
        self._callbacks.start(self._focus(self._question))
        yes = await self._question.answered()
        await self.look()
        return yes and self._snapshot is not None and self._is_offered(name, self._snapshot.status)

    async def _focus(self, question: Question) -> None:
        """Let the keyboard answer at once; the page needs a moment to show the question."""
        await asyncio.sleep(_MOMENT)
        (question.yes if question.typed is None else question.text).focus()

    async def _cost(self, name: str) -> str:
        if name == "renew":
            return "It drops this practice database, with everything in it, and makes it anew."
        return await consequences(self.rename, name)

    async def _run(self, name: str) -> None:
        if self._working or self._asking:
            return
        self._asking = name
        try:
            await self.look()
            agreed = await self._agreed(name)
        finally:
            self._asking, self._question, self.asked.children = "", None, ()
        if not agreed:
            self._callbacks.tell(f"{_LABELS[name]}: not done, and nothing was changed")
            await self.look()
            return
        self._working = name
        self._stop.clear()
        self._callbacks.tell(f"{_LABELS[name]} ...")
        try:
            await self.look()
            said = await getattr(self, f"_{name}")()
        finally:
            self._working = self._waiting = ""
            with suppress(Exception):  # the next look tells
                await self.look()
        self._callbacks.tell(said)

    async def _expand(self) -> str:
        await self.rename.expand()
        return "Both names work from now on. Deploy new code after the verify"

    async def _backfill(self) -> str:
        return self._filled(await self._noting_waits(self.rename.backfill))

    async def _restore(self) -> str:
        return self._filled(await self._noting_waits(self.rename.restore))

    async def _verify(self) -> str:
        report = await self.rename.verify()
        if report.refused:
            return "; ".join(report.refused)
        return (
            f"{report.equal:,} of {report.rows:,} rows equal. Now deploy the code that knows "
            f"{self.rename.target.new}"
        )

    async def _gate(self) -> str:
        report = await self.rename.gate()
        return (
            "; ".join(map(str, report.objections))
            or "The gate is open: the old column may be dropped"
        )

    async def _contract(self) -> str:
        if await self.rename.contract(confirm=self._name):
            return f"{self._name} itself was renamed; the second column was dropped"
        return f"{self._name} was dropped"

    async def _rollback(self) -> str:
        await self.rename.rollback()
        return "Everything is as it was before the expand"

    async def _renew(self) -> str:
        if self._renew_database is not None:  # else there is no such button
            await self._renew_database()
        return "The practice database was made anew"

    async def _noting_waits(
        self, backfill: Callable[..., Coroutine[None, None, BackfillReport]]
    ) -> BackfillReport:
        def note(progress: Progress) -> None:
            self._waiting = progress.waiting or ""

        # A cell's interrupt does not reach it, and closing the page should not end it.
        return await backfill(progress=note, stop=self._stop)

    def _filled(self, report: BackfillReport) -> str:
        if report.completed:
            return f"{plural(report.rows_updated, 'row')} filled in {report.seconds:,.1f} s"
        return "Stopped between two batches; it continues from here"
