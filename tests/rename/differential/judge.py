"""The judge: a case is walked through its phases, and PostgreSQL says what is right after each.

What is refused has to be refused by the plan, and to have changed nothing. Everything else has to
end as it does on the twin: each statement with the same rows and SQLSTATE, each phase with the same
rows in every table, the contract with the same schema, and a rollback with the schema before it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING
from unittest import mock

from invoicing.db import Database
from invoicing.errors import InvoicingError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename import plan as planning
from invoicing.toolkit.rename import rename as engine
from invoicing.toolkit.rename.errors import ContractRefusedError, RenameRefusedError
from invoicing.toolkit.rename.rehearsal import owner
from invoicing.toolkit.rename.rehearsal.dump import differences
from invoicing.toolkit.rename.strategies import strategy_of
from tests.rename.differential.case import Part
from tests.rename.differential.scripted import ScriptedRename, ScriptError, ScriptRefusedError
from tests.rename.differential.twins import Ended, rename_names, rename_plainly

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from invoicing.toolkit.rename import Plan
    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.rehearsal.dump import Piece
    from tests.rename.differential.case import Case, Work
    from tests.rename.differential.twins import Side

_OPTIONS = Options(batch_size=7, quiet=0.001, lock_timeout=1, lock_attempts=3)
# What a person may accept without any other change, as long as no client does what it names.
_ACCEPTED = frozenset(
    {
        "argument-rewrite",
        "domain",
        "function-rewrite",
        "inheritance",
        "null-default",
        "published-state",
    }
)
# What the expand replaces where that is accepted, or refuses.
_REPLACED = {
    "function-rewrite": ("function of a trigger,", "function of a trigger after"),
    "argument-rewrite": ("trigger with the column's name",),
}
_OURS = ("--exclude-schema=invoicing_rename",)


class DifferenceError(AssertionError):
    """Something that the twin does otherwise."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


@dataclass
class Tally:
    """What became of all examples.

    Attributes:
        cases: how many there were, by strategy.
        refusals: how many schemas had a refusal of that kind, by strategy and slug.
        refused: how many were refused, by strategy, whatever is accepted.
        stopped: how many were refused with nothing accepted.
        accepted: what was accepted, so that the rename could go on.
        later: what its owner had to change.
        invalid: parts that PostgreSQL did not take, by kind.
        parts: how many there were, by kind.
        known: differences that are known.
        statements: how many ran on both, and how many of them failed on both.
    """

    cases: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    later: Counter[tuple[str, str]] = field(default_factory=Counter)
    parts: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)


class Judge:
    """Walks one case through its phases on both databases."""

    def __init__(self, case: Case, ours: Side, twin: Side, tally: Tally) -> None:
        self.case, self.ours, self.twin, self.tally = case, ours, twin, tally
        self._column = case.old
        self._twins = case.old
        self._view_stands = self._in_place = False
        # Kinds of parts whose text the expand has replaced.
        self._replaced: tuple[str, ...] = ()

    async def judge(self) -> None:
        """Walk the whole way.

        Raises:
            DifferenceError: the twin does it otherwise.
        """
        if not await self._make():
            return
        await self._work("before")
        before = await self.ours.dump()
        url = self.ours.url
        if self.case.operator:
            url = url.set(username=self.case.operator)
        if self.case.strategy == "script":
            options = replace(_OPTIONS, accept=frozenset({"publication"}))
            await self._walk(ScriptedRename(self.case, url, options), before)
            return
        async with Database(url, Settings()) as database:
            target = Target(self.case.table, self.case.old, self.case.new, self.case.schema)
            options = replace(_OPTIONS, strategy=self.case.strategy, accept=_ACCEPTED)
            rename = Rename(database, target, options)
            await self._walk(rename, before)

    async def _expand_script(self, rename: ScriptedRename) -> bool:
        """Expand; return whether the script did not refuse."""
        self._in_place = True
        self.tally.cases["script"] += 1
        try:
            await rename.expand()
        except ScriptRefusedError as error:
            self.tally.refused["script"] += 1
            for what in error.kinds:
                self.tally.refusals["script", what] += 1
            return False
        except ScriptError as error:
            raise _failed("expand", error) from error
        return True

    async def _expand(self, rename: Rename | ScriptedRename) -> bool:
        """Expand; return whether the plan allowed it."""
        if isinstance(rename, ScriptedRename):
            return await self._expand_script(rename)
        refused = False
        chosen = (strategy_of(self.case.strategy),)
        with (
            mock.patch.object(engine, "make_plan", _planner(plans := [])),
            # The other's plan takes as long, and is only a sentence in the messages of this one's.
            mock.patch.object(planning, "STRATEGIES", chosen),
        ):
            try:
                await rename.expand()
            except RenameRefusedError:
                refused = True
            except InvoicingError as error:
                raise _failed("expand", error) from error
        (plan,) = plans
        if refused != bool(plan.refusals):
            raise DifferenceError("refusal", "the expand refuses other than its plan")
        self._count(plan)
        slugs = {finding.slug for finding in plan.findings}
        self._in_place = "in-place" in slugs
        replaced = [_REPLACED[slug] for slug in sorted(slugs & _REPLACED.keys())]
        self._replaced = tuple(chain.from_iterable(replaced))
        return not refused

    def _count(self, plan: Plan) -> None:
        tally, strategy = self.tally, self.case.strategy
        tally.cases[strategy] += 1
        tally.refused[strategy] += bool(plan.refusals)
        tally.stopped[strategy] += any(
            finding.verdict == "refused" or finding.message.startswith("accepted: ")
            for finding in plan.findings
        )
        for finding in {finding.slug: finding for finding in plan.findings}.values():
            accepted = finding.message.startswith("accepted: ")
            if finding.verdict == "refused" or accepted:
                tally.refusals[strategy, finding.slug] += 1
            if accepted and not plan.refusals:
                tally.accepted[strategy, finding.slug] += 1
            if finding.verdict == "later":
                tally.later[strategy, finding.slug] += 1

    async def _make(self) -> bool:
        """Make the schema of what PostgreSQL takes; return whether there is a table."""
        kept = []
        for side in (self.ours, self.twin):
            await side.begin(self.case)
        for part in self.case.parts:
            self.tally.parts[part.kind] += 1
            failed = await self.ours.make(self.case, part)
            if failed is None:
                assert await self.twin.make(self.case, part) is None, part
                kept.append(part)
            else:
                self.tally.invalid[f"{part.kind}: {failed}"] += 1
        self.case = replace(self.case, parts=tuple(kept))
        return any(part.kind == "table" for part in kept)

    async def _walk(self, rename: Rename | ScriptedRename, before: list[Piece]) -> None:
        if not await self._expand(rename):
            self._same_schema("refusal", await self.ours.dump(), before)
            return
        await rename_plainly(self.twin, self.case, self.case.old, self.case.new)
        self._twins = self.case.new
        self._view_stands = self.case.strategy == "view"
        for verb in ("expand", "backfill", "verify"):
            report = await self._phase(verb, getattr(rename, verb)()) if verb != "expand" else None
            if verb == "verify" and not report.ok:
                raise DifferenceError("verify", repr(report))
            await self._same_rows(verb)
            await self._work(verb)
            if verb == "backfill":
                await self._change()
            if self.case.ending == verb:
                await self._back(rename, before)
                return
        await rename_names(self.twin, self.case, self.case.old, self.case.new)
        wanted = await self.twin.dump(*_OURS)
        for part in self.case.parts:
            if part.is_text and not part.kind.startswith(self._replaced):
                await self.ours.make(self.case, part, self.case.new)
        # Behind a view, what PostgreSQL knows follows the column by itself.
        if self.case.strategy != "view":
            dump = lambda: self.ours.dump(*_OURS)  # noqa: E731
            await owner.change(self.ours.admin, dump, wanted, texts_only=self._in_place)
        await self._phase("contract", rename.contract(confirm=f"{self.case.table}.{self.case.old}"))
        self._column, self._view_stands = self.case.new, False
        await self._same_rows("contract")
        self._same_schema("contract", await self.ours.dump(*_OURS), wanted)
        await self._work("contract")

    async def _back(self, rename: Rename | ScriptedRename, before: list[Piece]) -> None:
        """Roll back; the twin's column gets its old name again."""
        await self._phase("rollback", rename.rollback())
        self._view_stands = False
        case = self.case
        await rename_plainly(self.twin, case, case.new, case.old)
        # What its owner has changed meanwhile stays on the old column.
        changed = case.changes and case.ending != "expand"
        wanted = await self.twin.dump() if changed else before
        self._same_schema("rollback", await self.ours.dump(), wanted)
        self._column = self._twins = case.old
        await self._same_rows("rollback")
        await self._work("before")

    async def _phase(self, verb: str, phase: object) -> object:
        try:
            return await phase
        except InvoicingError as error:
            raise _failed(verb, error) from error

    async def _work(self, window: str) -> None:
        for work in self.case.work.get(window, ()):
            if work.no_view and self._view_stands:
                continue
            # By the new name it is empty until the backfill has been there.
            empty = window == "expand" and not self._view_stands
            if empty and work.reads and (work.by == "new" or work.twin):
                continue
            copied = window in {"verify", "contract"} or self._view_stands
            if work.by_index and work.by == "new" and not copied:
                continue
            await self._run(window, work)

    async def _change(self) -> None:
        """Run the DDL that its owner runs meanwhile: what one side takes, the other has to."""
        for work in self.case.changes:
            part = Part(work.kind, work.statements)
            ours = await self.ours.make(self.case, part)
            twins = await self.twin.make(self.case, part, self._twins)
            if ours != twins:
                raise DifferenceError(f"{work.kind}: {ours}", f"instead of {twins}")

    async def _run(self, window: str, work: Work) -> None:
        case = self.case
        old = work.by == "old"
        name = case.old if old else case.new
        if window in {"before", "contract"} and self._twins != self._column:
            raise AssertionError
        ours = await self.ours.run(case, work, name)
        names = replace(work, statements=(work.twin,)) if work.twin else work
        if work.fails:
            names = replace(names, statements=("BEGIN", *names.statements, "ROLLBACK"))
        # After the contract, and after a rollback, a name that is gone is gone on both.
        gone = not old if self._twins == case.old else window == "contract" and old
        called = name if gone else self._twins
        twins = await self.twin.run(case, names, called)
        if work.fails and window != "before":
            # Or by something else, whichever is looked at first.
            as_said = ours[0].sqlstate == work.fails or not twins[1].sqlstate
            twins = [Ended([], work.fails) if as_said else twins[1]]
            ours = [ours[0]._replace(rows=[])]
        for our, other in zip(ours, twins, strict=True):
            self.tally.statements["failed" if other.sqlstate else "ran"] += 1
            right = (our.rows, our.sqlstate) == (other.rows, other.sqlstate)
            if not right:
                raise DifferenceError(
                    f"{work.kind} by the {work.by} name after {window}:"
                    f" {our.sqlstate} for {other.sqlstate}",
                    f"{work.statements} {our} instead of {other}",
                )
        await self._same_rows(f"{work.kind} by the {work.by} name after {window}")

    async def _same_rows(self, kind: str) -> None:
        ours = await self.ours.rows(self.case, self._column)
        twins = await self.twin.rows(self.case, self._twins)
        for relation, rows in twins.items():
            if ours.get(relation) != rows:
                text = f"{relation}: {ours.get(relation)} instead of {rows}"
                raise DifferenceError(f"rows after {kind}", text)

    def _same_schema(self, kind: str, ours: list[Piece], wanted: list[Piece]) -> None:
        found = differences(ours, wanted)
        if found:
            kinds = ", ".join(sorted({piece[1] for piece in found}))
            text = "\n".join(f"{piece[0]}: {piece[3]}" for piece in found)
            raise DifferenceError(f"schema after {kind}: {kinds}", text)


def _failed(verb: str, error: InvoicingError) -> DifferenceError:
    if isinstance(error, ContractRefusedError):
        slugs = ", ".join(sorted({finding.slug for finding in error.objections}))
        return DifferenceError(f"gate {slugs}", "; ".join(map(str, error.objections)))
    kind = f"{verb} fails by {type(error).__name__} {getattr(error, 'sqlstate', '')}"
    return DifferenceError(kind, str(error))


def _planner(plans: list[Plan]) -> Callable[[RenameContext], Awaitable[Plan]]:
    """Return what plans, and keeps the plan: another one would take as long as all the rest."""

    async def planned(context: RenameContext, **options: bool) -> Plan:
        plans.append(await planning.make_plan(context, **options))
        return plans[-1]

    return planned
