"""Target a column of a live table; whatever was done is kept, and can be continued."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.model import Blocker, Finding, Target


class RenameError(InvoicingError):
    """A rename cannot go on; the database is in a state that any operator can continue."""


class RenameRefusedError(RenameError):
    """The plan found something that stands in the way; nothing was touched.

    Attributes:
        target: the rename.
        findings: what was found; each has a slug, a subject and a message.

    Args:
        run: the command line that looks at it again, where it takes options.
    """

    def __init__(self, target: Target, findings: Sequence[Finding], run: str | None = None) -> None:
        self.target = target
        self.findings = list(findings)
        reasons = "; ".join(f"{finding.subject}: {finding.message}" for finding in findings)
        super().__init__(
            f"cannot rename {target}: {reasons}. Nothing was changed. Run: "
            + (run or target.command("plan"))
        )


class RenameInProgressError(RenameError):
    """Another operator is at work on this table.

    Attributes:
        target: the rename.
        pid: the server process that holds the lock; None when it has just let go.
        application: its application_name.
        since: when it connected, as the server says it.
    """

    def __init__(
        self, target: Target, pid: int | None, application: str | None, since: str | None
    ) -> None:
        self.target = target
        self.pid = pid
        self.application = application
        self.since = since
        # An account that may not watch others is not told since when.
        when = f", since {since}" if since else ""
        holder = (
            f"pid {pid} ({application or 'no application_name'}{when})"
            if pid is not None
            else "another operator, who has just let go,"
        )
        super().__init__(
            f"cannot work on {target}: {holder} is at work on it. Nothing was changed. "
            f"Watch it with: {target.command('status')}"
        )


class RenameBlockedError(RenameError):
    """A statement could not have its lock in time.

    Attributes:
        target: the rename.
        statement: the first words of the statement.
        seconds: how long was tried, in all.
        blockers: who held the lock, as far as that could be seen.
    """

    def __init__(
        self, target: str, statement: str, seconds: float, blockers: Sequence[Blocker]
    ) -> None:
        self.target = target
        self.statement = statement
        self.seconds = seconds
        self.blockers = list(blockers)
        who = "; ".join(map(str, blockers)) or "nobody who could be seen at the end"
        super().__init__(
            f"cannot go on with {target}: no lock for «{statement}» in {seconds:,.1f} s. In the "
            f"way: {who}. Nothing waits behind it now, and what was done is kept. End that "
            "session, or wait for it, then run the same command again"
        )


class RenamePhaseError(RenameError):
    """The turn of what was asked for has not come, or is over.

    Attributes:
        target: the rename.
        phase: where it stands.
        asked: what was asked for.
    """

    def __init__(self, target: str, phase: str, asked: str, advice: str) -> None:
        self.target = target
        self.phase = phase
        self.asked = asked
        super().__init__(f"cannot {asked} {target}: it stands at «{phase}». {advice}")


class RenameMovedError(RenameError):
    """The table or a column was given another name, by other means, while a rename is under way.

    Attributes:
        target: the rename, by the names that it began with.
        phase: where it stands.
        facts: what has another name by now.
        statements: what takes that back.
    """

    def __init__(
        self, target: Target, phase: str, facts: Sequence[str], statements: Sequence[str], run: str
    ) -> None:
        self.target = target
        self.phase = phase
        self.facts = list(facts)
        self.statements = list(statements)
        super().__init__(
            f"cannot go on with {target}: since it began (it stands at {phase}), {'; '.join(facts)}"
            ". The rename knows the names that it began with, and where a column was renamed, "
            "writes to the table fail. Nothing was changed. To take that back, run: "
            f"{' '.join(statements)} Then: {run}"
        )


class RenameLeftError(RenameError):
    """A rename left something on the table, and its journal is gone.

    Attributes:
        target: the rename that was asked for.
    """

    def __init__(self, target: str, left: str) -> None:
        self.target = target
        super().__init__(f"cannot go on with {target}: {left}")


class RowsDifferError(RenameError):
    """Rows do not have the same value in both columns.

    Attributes:
        target: the rename.
        rows: how many rows there are.
        missing: how many have no value in the new column yet.
        different: how many have two values.
    """

    def __init__(
        self, target: str, *, rows: int, missing: int, different: int, danger: str, advice: str
    ) -> None:
        self.target = target
        self.rows = rows
        self.missing = missing
        self.different = different
        super().__init__(
            f"cannot go on with {target}: {missing + different:,} of {rows:,} rows differ "
            f"({missing:,} are not filled, {different:,} hold two values). {danger}. {advice}"
        )


class ContractRefusedError(RenameError):
    """The old column may not be dropped yet.

    Attributes:
        target: the rename.
        objections: every reason; each has a slug, a subject and a message.
    """

    def __init__(self, target: str, objections: Sequence[Finding]) -> None:
        self.target = target
        self.objections = list(objections)
        reasons = "; ".join(f"{objection.subject}: {objection.message}" for objection in objections)
        super().__init__(
            f"cannot contract {target}: {reasons}. Nothing was dropped. Run the contract again "
            "when that is mended"
        )


class ConfirmationError(UsageError):
    """The contract ends the old name, with its values or not, and was not confirmed by it.

    Attributes:
        target: the rename.
        expected: what has to be typed.
    """

    def __init__(self, target: str, expected: str, rows: int, *, dropped: bool = True) -> None:
        self.target = target
        self.expected = expected
        lost = (
            f"it drops a column of {rows:,} rows for ever"
            if dropped
            else f"it takes away the old name of a column of about {rows:,} rows"
        )
        super().__init__(
            f"cannot contract {target}: {lost}, and was not confirmed. Nothing was "
            f"dropped. Confirm with: {expected} (alembic -x "
            f"{shlex.quote('confirm=' + expected)} upgrade head; --confirm "
            f"{shlex.quote(expected)} with invoicing rename contract or invoicing db upgrade)"
        )


class RenameInterruptedError(RenameError):
    """The connection was lost; what was committed is kept.

    Attributes:
        target: the rename.
        reason: the driver's first line.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target = target
        self.reason = reason
        super().__init__(
            f"{target} was interrupted: {reason.rstrip('.')}. Every batch that was committed is "
            "kept, and the table can be used as before. Run the same command again to go on"
        )


class RenameFailedError(RenameError):
    """The server refused a statement.

    Attributes:
        target: the rename.
        statement: its first words.
        sqlstate: PostgreSQL's five-character code.
        reason: the first line of the server's message.
    """

    def __init__(
        self, target: str, statement: str, sqlstate: str | None, reason: str, advice: str
    ) -> None:
        self.target = target
        self.statement = statement
        self.sqlstate = sqlstate
        self.reason = reason
        fact = f"{reason.rstrip('.')} (SQLSTATE {sqlstate or 'unknown'})"
        super().__init__(
            f"{target} failed at «{statement}»: {fact}. What was committed before is kept. {advice}"
            if statement
            else f"cannot go on with {target}: {fact}. {advice}"
        )
