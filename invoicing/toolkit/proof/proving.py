"""The proof: every revision up, down and up again, with rows in every table, by the catalog.

pytest-alembic runs downgrades and asks only that they do not raise; alembic-verify compares the
newest schema with the models. Neither compares what a downgrade leaves with what was there, so the
steps are run here, by Alembic's own operations, each revision on a copy of a database that holds
what those before it have built.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from invoicing.toolkit.policy import PolicyFinding, Problem, Proof
from invoicing.toolkit.policy.migrations.history import in_order
from invoicing.toolkit.policy.migrations.rules.migration_header import read
from invoicing.toolkit.proof.catalog import Catalog, CatalogDifference, differences, read_catalog
from invoicing.toolkit.proof.rows import fill, fill_with
from invoicing.toolkit.proof.running import StepError, importing, load, run_step
from invoicing.toolkit.proof.scratch import ProofDatabases, scratch, within
from invoicing.toolkit.proof.values import lost, values_in, written_by_triggers
from invoicing.toolkit.proof.words import compared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy import Connection
    from sqlalchemy.engine import URL

    from invoicing.toolkit.policy.migrations import Revision
    from invoicing.toolkit.proof.values import TableValues

REVERSIBLE, DESTRUCTIVE = "reversible-migration", "destructive-flagged"
# What rows may be: NULL, too long, out of range, of another form. Any row of that kind would do it;
# a check or a key fails on rows that the project may well not have.
ROWS_FAULT = {"23502", "22001", "22003", "22P02", "22023", "22007", "22008"}
VERSIONS = "CREATE TABLE IF NOT EXISTS alembic_version (version_num varchar(32) PRIMARY KEY)"
MOST_SAID = 5
NOT_RESTORED = "Not restored"


async def prove(
    server: URL, revisions: list[Revision], root: Path, asked: set[str] | None = None
) -> Proof:
    """Run revisions on databases of the proof's own.

    Args:
        server: a URL of the server, whose role may create databases.
        revisions: all of a history.
        root: the project's folder, which the paths of revisions begin from.
        asked: the paths to judge; all if None. The others only build what these stand on.
    """
    proof = Proof()
    by_id = {revision.identifier or revision.path: revision for revision in reversed(revisions)}
    steps = {name: revision.steps() for name, revision in by_id.items()}
    ordered = [by_id[each.identifier or each.path] for each in in_order(steps)]
    folders = {(root / revision.path).parent for revision in ordered}
    async with scratch(server) as place:
        base = await place.make()
        await within(base, _with_versions)
        filled: URL | None = None
        with importing(root, folders):
            for revision in ordered:
                trial = _Trial(place, proof, revision, root, base, filled)
                await trial.run(judge=asked is None or revision.path in asked)
                base, filled = trial.base, trial.filled
                await place.keep(base, filled)
        await place.keep()
        left = await place.drop_roles()
        proof.problems += [Problem(ordered[-1].path, 1, each) for each in left]
    return proof


def _with_versions(connection: Connection) -> None:
    connection.execute(text(VERSIONS))
    connection.commit()


class _Trial:
    """One revision, tried."""

    def __init__(
        self,
        place: ProofDatabases,
        proof: Proof,
        revision: Revision,
        root: Path,
        base: URL,
        filled: URL | None,
    ) -> None:
        self.place = place
        self.proof = proof
        self.revision = revision
        self.path = root / revision.path
        self.module: Any = None
        self.base = base
        self.filled = filled
        self.roles = frozenset(place.shared.roles)

    async def run(self, *, judge: bool) -> None:
        """Judge the revision, if asked to, and take the databases to it."""
        try:
            self.module = load(self.path)
            if judge:
                await self._judge()
                # What the trial has made on the server would stop the same step elsewhere.
                await self.place.keep(self.base, self.filled)
                await self.place.drop_roles(*self.roles)
            await self._go_on()
        except StepError as failure:
            function = "the file" if self.module is None else "upgrade()"
            self._not_checked(f"{function} cannot run: {failure}")

    def _not_checked(self, message: str, function: str = "upgrade") -> None:
        line = self._place(function)[0]
        self.proof.problems.append(Problem(self.revision.path, line, message))

    async def _step(self, url: URL, name: str) -> None:
        await run_step(url, self.module, name, self.place.shared)

    async def _catalog(self, url: URL) -> Catalog:
        return await within(url, partial(read_catalog, roles=self.roles | self.place.shared.roles))

    async def _go_on(self) -> None:
        if self.filled is not None:
            try:
                await self._step(self.filled, "upgrade")
            except StepError:
                # Its rows are refused; the next revision gets others.
                self.filled = None
        try:
            await self._step(self.base, "upgrade")
        except StepError:
            # It may need rows to be there, or has made what all databases share.
            if self.filled is None:
                raise
            self.base = await self.place.copy(self.filled)

    async def _judge(self) -> None:
        """Run it up, down and up again, with rows where they let it, and down on more of them."""
        if self.filled is None:
            self.filled = await self.place.copy(self.base)
        await within(self.filled, partial(fill, wide=False))
        trial, before, values = await self._up()
        up = await self._catalog(trial)
        try:
            said = [finding async for finding in self._down(trial, before, up, values)]
            if not any(finding.rule == REVERSIBLE for finding in said):
                changed = set(differences(before, up))
                said += [finding async for finding in self._down_on_rows(trial, changed)]
        except StepError as failure:
            self._not_checked(f"downgrade() cannot run: {failure}", "downgrade")
            return
        self.proof.proven.add(self.revision.path)
        self.proof.findings += said
        self.proof.restored += not any(finding.rule == REVERSIBLE for finding in said)

    async def _up(self) -> tuple[URL, Catalog, dict[str, TableValues]]:
        """Run it up on a copy with as many rows as it takes; return what was there before."""
        words, tables = compared(self.revision)
        for source, more in ((self.filled, words), (self.filled, []), (self.base, [])):
            if source is None or (more is words and not words):
                continue
            trial = await self.place.copy(source)
            if more:
                await within(trial, partial(fill_with, words=more, only=tables))
            before = await self._catalog(trial)
            values = await within(trial, values_in)
            try:
                await self._step(trial, "upgrade")
            except StepError as failure:
                if failure.is_refused or source is self.base:
                    raise
                continue
            return trial, before, values
        raise AssertionError

    async def _down(
        self, trial: URL, before: Catalog, up: Catalog, values: dict[str, TableValues]
    ) -> AsyncIterator[PolicyFinding]:
        try:
            await self._step(trial, "downgrade")
        except StepError as failure:
            if failure.is_refused:
                raise
            yield self._finding(REVERSIBLE, f"downgrade() fails: {failure}", "make it run")
            return
        left = await within(trial, values_in)
        down = await self._catalog(trial)
        missing = list(self._not_restored(before, down))
        for finding in missing:
            yield finding
        if not self.revision.steps().is_flagged:
            gone = list(lost(values, left))
            if gone:
                ask = partial(written_by_triggers, names={table for table, _ in gone})
                own = await within(trial, ask)
                for finding in self._lost([each for each in gone if each not in own]):
                    yield finding
        if down != before:
            return
        try:
            await self._step(trial, "upgrade")
        except StepError as failure:
            message = f"upgrade() fails after downgrade(): {failure}"
            yield self._finding(REVERSIBLE, message, "take back all that upgrade() does")
            return
        again = await self._catalog(trial)
        for each in list(differences(up, again))[:1]:
            message = f"upgrade() after downgrade() gives another schema: {each}"
            yield self._finding(REVERSIBLE, message, "take back all that upgrade() does")

    async def _down_on_rows(
        self, trial: URL, changed: set[CatalogDifference]
    ) -> AsyncIterator[PolicyFinding]:
        """Run it down with rows that only the new schema allows, in what it has changed."""
        everywhere = any(each.kind == "type" for each in changed)
        tables = None if everywhere else {each.table or each.name for each in changed}
        await within(trial, partial(fill, wide=True, only=tables))
        try:
            await self._step(trial, "downgrade")
        except StepError as failure:
            if failure.sqlstate in ROWS_FAULT:
                message = f"downgrade() fails on rows that upgrade() lets in: {failure}"
                fix = "make the rows fit first, and say DESTRUCTIVE if that loses values"
                yield self._finding(REVERSIBLE, message, fix)

    def _not_restored(self, before: Catalog, down: Catalog) -> Iterator[PolicyFinding]:
        missing = [each for each in differences(before, down) if not self._is_said(each)]
        for each in missing[:MOST_SAID]:
            more = len(missing) - MOST_SAID
            rest = f" (and {more} more)" if more > 0 and each is missing[MOST_SAID - 1] else ""
            fix = "restore it, or say DESTRUCTIVE in the docstring, and Not restored: what is not"
            message = f"downgrade() does not restore the schema: {each}{rest}"
            yield self._finding(REVERSIBLE, message, fix)

    def _is_said(self, difference: CatalogDifference) -> bool:
        """Tell whether the docstring says that this does not come back.

        It is named there beside DESTRUCTIVE; below `Not restored:` its schema or its kind will do.
        """
        if not self.revision.steps().is_flagged:
            return False
        header = self.revision.header
        _, below = read(header).get(NOT_RESTORED, (0, ""))
        schema = difference.name.partition(".")[0] if "." in difference.name else ""
        words = {difference.kind, f"{difference.kind}s", schema} - {""}
        names = re.escape(difference.name.partition("(")[0])
        return bool(
            re.search(rf"(?<!\w){names}(?!\w)", header)
            or re.search(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)", below)
        )

    def _lost(self, gone: list[tuple[str, str]]) -> Iterator[PolicyFinding]:
        if gone:
            table, column = gone[0]
            what = f"values of {table}.{column}" if column else f"rows of {table}"
            more = f" (and {len(gone) - 1} more)" if len(gone) > 1 else ""
            message = f"{what}{more} are gone after upgrade() and downgrade()"
            fix = "say DESTRUCTIVE in the docstring, and what is lost"
            yield self._finding(DESTRUCTIVE, message, fix, "upgrade")

    def _finding(
        self, rule: str, message: str, fix: str, function: str = "downgrade"
    ) -> PolicyFinding:
        return self.revision.finding(rule, self._place(function), message, fix)

    def _place(self, function: str) -> tuple[int, int]:
        node = self.revision.node(function)
        return (node.lineno, node.col_offset + 1) if node is not None else (1, 1)
