"""What can stop the rename of a column; whatever was done is kept, and can be continued."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.errors import InvoicingError, UsageError, error_of_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.blocker import Blocker
    from invoicing.toolkit.rename.model import PlanFinding, Target


class RenameError(InvoicingError):
    """A rename cannot go on; the database is in a state from which it can be continued."""


class RenameRefusedError(RenameError):
    """The plan refuses the rename; nothing was touched.

    Attributes:
        findings: what was found; each has a slug, a subject and a message.

    Args:
        run: the command line that looks at it again, where it takes options.
    """

    def __init__(
        self, target: Target, findings: Sequence[PlanFinding], run: str | None = None
    ) -> None:
        self.target = target
        self.findings = list(findings)
        reasons = "; ".join(map(str, findings))
        super().__init__(
            f"cannot rename {target}: {reasons}. Nothing was changed. Run: "
            + (run or target.command("plan"))
        )


class RenameInProgressError(RenameError):
    """Another session holds the lock of this table.

    Attributes:
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
        # An account that may not watch others does not see since when.
        when = f", since {since}" if since else ""
        holder = (
            f"pid {pid} ({application or 'no application_name'}{when})"
            if pid is not None
            else "another session, which has just released it,"
        )
        super().__init__(
            f"cannot lock {target}: {holder} holds the lock. Nothing was changed. "
            f"Watch it with: {target.command('status')}"
        )


class RenameBlockedError(RenameError):
    """A statement could not have its lock in time."""

    def __init__(
        self, target: str, statement: str, seconds: float, blockers: Sequence[Blocker]
    ) -> None:
        self.target = target
        self.statement = statement
        self.seconds = seconds
        self.blockers = list(blockers)
        who = "; ".join(map(str, blockers)) or "none could be seen at the end"
        super().__init__(
            f"cannot continue {target}: could not acquire the lock for `{statement}` in "
            f"{seconds:,.1f} s. Blocking sessions: {who}. No session waits behind it now, and "
            "completed work is kept. End the blocking session or wait for it, then run the same "
            "command again"
        )


@error_of_fields
class RenamePhaseError(RenameError):
    """The phase that was asked for cannot run now."""

    target: str
    phase: str
    asked: str
    advice: str
    message = "cannot {asked} {target}: its phase is {phase}. {advice}"


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
            f"cannot go on with {target}: since it began (its phase is {phase}), {'; '.join(facts)}"
            ". The rename knows the names that it began with, and where a column was renamed, or "
            "a view in the table's place, requests fail. Nothing was changed. To take that back, "
            "run: "
            f"{' '.join(statements)} Then: {run}"
        )


@error_of_fields
class RenameLeftError(RenameError):
    """A rename left something on the table, and its journal is gone."""

    target: str
    left: str
    message = "cannot go on with {target}: {left}"


class RowsDifferError(RenameError):
    """Rows do not have the same value in both columns."""

    def __init__(
        self, target: str, *, rows: int, missing: int, different: int, danger: str, advice: str
    ) -> None:
        self.target = target
        self.rows = rows
        self.missing = missing
        self.different = different
        super().__init__(
            f"cannot continue {target}: {missing + different:,} of {rows:,} rows differ "
            f"({missing:,} are not filled, {different:,} hold two values). {danger}. {advice}"
        )


class ContractRefusedError(RenameError):
    """The old column may not be dropped yet.

    Attributes:
        objections: every reason; each has a slug, a subject and a message.
    """

    def __init__(self, target: str, objections: Sequence[PlanFinding]) -> None:
        self.target = target
        self.objections = list(objections)
        reasons = "; ".join(map(str, objections))
        super().__init__(
            f"cannot contract {target}: {reasons}. Nothing was dropped. Run the contract again "
            "once that is fixed"
        )


@error_of_fields
class ConfirmationError(UsageError):
    """The contract ends the old name, with its values or not, and was not confirmed by it.

    Attributes:
        lost: what the contract does that has to be confirmed.
    """

    target: str
    expected: str
    lost: str
    message = (
        "cannot contract {target}: {lost}, and was not confirmed. Nothing was dropped. Confirm "
        "with: {expected} (alembic -x {self.argument} upgrade head; --confirm {self.quoted} with "
        "{self.command} or invoicing db upgrade)"
    )

    @property
    def command(self) -> str:
        """The command that contracts it by itself."""
        return f"invoicing {'rename' if ' -> ' in self.target else 'retype'} contract"

    @property
    def argument(self) -> str:
        """What `alembic -x` takes, for a shell."""
        return shlex.quote(f"confirm={self.expected}")

    @property
    def quoted(self) -> str:
        """The confirmation for a shell."""
        return shlex.quote(self.expected)


@error_of_fields
class RenameInterruptedError(RenameError):
    """The connection was lost; what was committed is kept."""

    target: str
    reason: str
    message = (
        "{target} was interrupted: {self.fact}. Every batch that was committed is kept, and the "
        "table can be used as before. Run the same command again to go on"
    )

    @property
    def fact(self) -> str:
        """The reason, for a sentence."""
        return self.reason.rstrip(".")


class RenameFailedError(RenameError):
    """The server refused a statement.

    Attributes:
        statement: its first words.
        reason: the first line of the server's message.
        advice: what to run.
    """

    def __init__(
        self, target: str, statement: str, sqlstate: str | None, reason: str, advice: str
    ) -> None:
        self.target = target
        self.statement = statement
        self.sqlstate = sqlstate
        self.reason = reason
        self.advice = advice
        fact = f"{reason.rstrip('.')} (SQLSTATE {sqlstate or 'unknown'})"
        super().__init__(
            f"{target} failed at `{statement}`: {fact}. What was committed before is kept. {advice}"
            if statement
            else f"cannot go on with {target}: {fact}. {advice}"
        )
