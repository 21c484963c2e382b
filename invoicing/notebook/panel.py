"""A rename by buttons: one cell that shows where it stands, whoever is at work on it.

What is shown comes from the database, once a second. So the cell can be run again after a restart
of the kernel, or in a second notebook, and finds the rename as it is: at rest, or at work in a
terminal.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import ipywidgets

from invoicing.notebook.callbacks import Callbacks
from invoicing.notebook.confirm import Question
from invoicing.notebook.connection import whereabouts
from invoicing.notebook.progress import ProgressDisplay
from invoicing.toolkit.rename import Phase
from invoicing.toolkit.rename.consequences import consequences, dropped, is_typed
from invoicing.visible import escape, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from invoicing.toolkit.rename import BackfillReport, Progress, Rename, Status

# What may be clicked in each phase; the first is what comes next.
_OFFERED = {
    Phase.NONE: ("expand",),
    Phase.EXPANDING: ("expand", "rollback"),
    Phase.EXPANDED: ("backfill", "rollback"),
    Phase.BACKFILLING: ("backfill", "rollback"),
    Phase.BACKFILLED: ("verify", "rollback"),
    Phase.VERIFYING: ("verify", "backfill", "rollback"),
    Phase.VERIFIED: ("contract", "gate", "verify", "rollback"),
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
}
# The phases as a reader counts them, and where each is done.
_WAY = ("expand", "backfill", "verify", "contract")
_DONE = {
    Phase.EXPANDED: 1,
    Phase.BACKFILLING: 1,
    Phase.BACKFILLED: 2,
    Phase.VERIFYING: 2,
    Phase.VERIFIED: 3,
    Phase.CONTRACTING: 3,
    Phase.CONTRACTED: 4,
}
# What changes a table, and is asked about first where the table is a real one.
_ASKED = ("expand", "backfill", "verify", "restore")
_MB = 1_000_000


class RenamePanel:
    """Buttons for the phases of one rename, its rows counted live, and what went wrong.

    A phase that has begun goes on when the page is closed; Stop ends a backfill between two
    batches. The contract is offered to who has typed the column's name; a rollback says what it
    costs and asks for the name of what it drops. On a real database the other phases say what they
    will do and ask as well.

    Args:
        rename: what is renamed, where and how.
        practice: whether the database is one of our own, made to be tried on.
        interval: seconds between two looks at the database.
    """

    def __init__(self, rename: Rename, *, practice: bool = False, interval: float = 1.0) -> None:
        self.rename = rename
        self.practice = practice
        self._interval = interval
        self._stop = asyncio.Event()
        self._working = ""
        self._asking = ""
        self._question: Question | None = None
        self._place = ""
        self._callbacks = Callbacks()
        self.message = self._callbacks.message
        self.where = ipywidgets.HTML()
        self.way = ipywidgets.HTML()
        self.asked = ipywidgets.VBox()
        self.facts = ipywidgets.HTML()
        self.progress = ProgressDisplay("Backfill")
        self.typed = ipywidgets.Text(placeholder=visible(f"type {self._name} to contract"))
        self.buttons = {
            name: ipywidgets.Button(description=label, disabled=True)
            for name, label in _LABELS.items()
        }
        for name, button in self.buttons.items():
            button.on_click(self._clicked(name))
        self.buttons["stop"].button_style = "warning"
        self.buttons["contract"].button_style = "danger"
        self.typed.observe(lambda _: self._callbacks.start(self.look()), names="value")
        row = ipywidgets.HBox(list(self.buttons.values()), layout={"flex_flow": "row wrap"})
        below = [self.progress.widget, self.facts, self.message]
        self.widget = ipywidgets.VBox([self.where, self.way, row, self.typed, self.asked, *below])

    async def open(self) -> ipywidgets.VBox:
        """Look once, go on looking, and return the widget to show."""
        await self._callbacks.reported(self.look())
        self._callbacks.start(self._follow())
        return self.widget

    async def close(self) -> None:
        """Stop looking, and end what is at work where it may end."""
        self._stop.set()
        await self._callbacks.end()

    async def look(self) -> None:
        """Show what the database says now."""
        if not self._place:
            self._place = await whereabouts(self.rename.database)
            kind = "Practice" if self.practice else "Real"
            self.where.value = f"<b>{kind}</b> {escape(self._place)}"
        status = await self.rename.status()
        if self._question is not None and not self._is_offered(self._asking, status):
            self._question.withdraw()
        self.way.value = _way(status)
        self.facts.value = _facts(status)
        self._offer(status)
        if status.rows_total and not self._working:
            self.progress.show(status.rows_done, status.rows_total, _pace(status))

    @property
    def _name(self) -> str:
        return f"{self.rename.target.table}.{self.rename.target.old}"

    def _is_offered(self, name: str, status: Status) -> bool:
        return status.operator is None and name in _OFFERED[status.phase]

    def _offer(self, status: Status) -> None:
        busy = bool(self._working or self._asking) or status.operator is not None
        offered = () if busy else _OFFERED[status.phase]
        for name, button in self.buttons.items():
            button.disabled = name not in offered
            if name not in {"stop", "contract"}:
                button.button_style = "primary" if offered[:1] == (name,) else ""
        self.buttons["stop"].disabled = self._working not in {"backfill", "restore"}
        self.typed.layout.display = "" if "contract" in offered else "none"
        if not is_typed(self.typed.value, self._name):
            self.buttons["contract"].disabled = True

    async def _follow(self) -> None:
        lost = False
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.look()
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 -- said once, and then tried again
                if not lost:
                    await self._callbacks.reported(self.look())
                lost = True
            else:
                if lost:
                    self._callbacks.tell("")
                lost = False

    def _clicked(self, name: str) -> Callable[[object], None]:
        def clicked(_: object) -> None:
            # Not twice, however fast the clicks are.
            self.buttons[name].disabled = True
            if name == "stop":
                self._callbacks.start(self._end_backfill())
            else:
                self._callbacks.start(self._run(name))

        return clicked

    async def _end_backfill(self) -> None:
        self._stop.set()

    async def _agreed(self, name: str) -> bool:
        """Ask, if that is to be asked; a yes counts while the rename stands where it stood."""
        typed = dropped(self.rename, name) if name == "rollback" else None
        if typed is None and (self.practice or name not in _ASKED):
            return True
        self._callbacks.tell("")
        what = await consequences(self.rename, name)
        question = f"{_LABELS[name]} {self.rename.target} in {self._place}? {what}"
        self._question = Question(question, typed)
        self.asked.children = (self._question.widget,)
        yes = await self._question.answered()
        return yes and self._is_offered(name, await self.rename.status())

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
            self._working = ""
            with suppress(Exception):  # the next look tells
                await self.look()
        self._callbacks.tell(said)

    async def _expand(self) -> str:
        await self.rename.expand()
        return "Both names work from now on. Deploy new code after the verify"

    async def _backfill(self) -> str:
        return self._filled(await self._with_progress(self.rename.backfill))

    async def _restore(self) -> str:
        return self._filled(await self._with_progress(self.rename.restore))

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
        typed = self.typed.value.strip()
        await self.rename.contract(confirm=self._name if is_typed(typed, self._name) else typed)
        self.typed.value = ""
        return f"{self._name} was dropped"

    async def _rollback(self) -> str:
        await self.rename.rollback()
        return "Everything is as it was before the expand"

    async def _with_progress(
        self, backfill: Callable[..., Coroutine[None, None, BackfillReport]]
    ) -> BackfillReport:
        def show(progress: Progress) -> None:
            self.progress.show(progress.rows_done, progress.rows_total, _pace(progress))

        # A cell's interrupt does not reach it, and closing the page should not end it.
        return await backfill(progress=show, stop=self._stop)

    def _filled(self, report: BackfillReport) -> str:
        if report.completed:
            return f"{report.rows_updated:,} rows filled in {report.seconds:,.1f} s"
        return "Stopped between two batches; Backfill continues from here"


def _way(status: Status) -> str:
    done = _DONE.get(status.phase, 0)
    steps = [
        f"{'&#10003; ' if number < done else ''}{'<b>' if number == done else ''}{step}"
        f"{'</b>' if number == done else ''}"
        for number, step in enumerate(_WAY)
    ]
    return f"{escape(str(status.target))}: {' &rsaquo; '.join(steps)} ({status.phase.value})"


def _facts(status: Status) -> str:
    facts = {
        "rows left": f"{status.rows_left:,}" if status.rows_total else "",
        "table": f"{status.table_bytes / _MB:,.1f} MB",
        "indexes": f"{status.index_bytes / _MB:,.1f} MB",
        "writes to the old name": f"{status.old_writes:,}" if status.old_writes else "",
        "lock holder": str(status.operator or ""),
        "blocking sessions": "; ".join(map(str, status.blockers)),
    }
    return " &middot; ".join(
        f"{name} <b>{escape(value)}</b>" for name, value in facts.items() if value
    )


def _pace(at: Status | Progress) -> dict[str, str]:
    facts = {}
    if at.rate is not None:
        facts["rate"] = f"{at.rate:,.0f} rows/s"
        facts["ETA"] = "unknown" if at.eta is None else f"{at.eta:,.0f} s"
    waiting = getattr(at, "waiting", None)
    return facts | ({"waiting": str(waiting)} if waiting else {})
