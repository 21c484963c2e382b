"""What a profile refuses or finds too much of."""

from __future__ import annotations

from invoicing.errors import InvoicingError, UnknownSlugError, UsageError, error_of_fields


@error_of_fields
class ProfilingTargetError(UsageError):
    """What was to be recorded leads to no engine.

    Attributes:
        given: the type of what was given.
    """

    given: str
    message = (
        "cannot record the statements of a {given}: it leads to no engine. Give an engine, a "
        "connection, a session, a sessionmaker or a Database; or nothing, for all engines"
    )


@error_of_fields
class RecorderInUseError(UsageError):
    """A recorder was entered while it records."""

    message = "this recorder is recording already. Make one for each block: record_queries(...)"


@error_of_fields
class ExplainError(UsageError):
    """Statements of an async engine were to be explained where nothing can be awaited."""

    message = (
        "statements of an async engine are explained by awaiting the server. Write: "
        "async with record_queries(engine, explain=True)"
    )


@error_of_fields
class SessionSourceError(UsageError):
    """What was to make the sessions of a comparison makes none.

    Attributes:
        given: the type of what was given.
        advice: what to give instead.
    """

    given: str
    advice: str
    message = "cannot compare loading on a {given}: it makes no sessions. {advice}"


@error_of_fields
class LoadingPathError(UsageError):
    """A path is no path of relationships."""

    step: str
    reason: str
    message = (
        "cannot compare the loading of {step}: {reason}. Give a relationship "
        "(Invoice.lines), a tuple for a chain of them, or a list of siblings; and a statement "
        "that has no loader options for them"
    )


@error_of_fields
class LoadingStatementError(UsageError):
    """A statement selects no parents whose collections could be loaded.

    Attributes:
        reason: what it is, or selects, instead.
        advice: what to write.
    """

    reason: str
    advice: str
    message = "cannot compare loading: {reason}. {advice}"


@error_of_fields
class StrategiesDifferError(InvoicingError):
    """Two loading strategies did not bring the same objects, so they cannot be compared."""

    strategy: str
    parents: int
    expected: int
    message = (
        "{strategy} did not bring the same objects as the first strategy ({parents:,} parents "
        "against {expected:,}): the statement does not always select the same. Give it an "
        "ORDER BY that says which rows come first, and a database at rest"
    )


class UnknownFindingError(UnknownSlugError):
    """No kind of finding has this slug."""

    kind = "finding"


@error_of_fields
class ProfileSettingsError(UsageError):
    """A project's settings of the profiler are invalid."""

    file: str
    reason: str
    message = "the profiler's settings in {file} are invalid: {reason}"


@error_of_fields
class QueryBaselineError(UsageError):
    """A baseline cannot be read."""

    path: str
    reason: str
    message = (
        "cannot read the baseline {path}: {reason}. Nothing was compared. Write a new one: "
        "pytest --write-query-baseline, or invoicing profile --write-baseline {path} PROGRAM"
    )


@error_of_fields
class QueryBaselineVersionError(UsageError):
    """A baseline is of another version of its format.

    Attributes:
        path: the file.
        version: what it says.
        known: what is read here.
    """

    path: str
    version: object
    known: int
    message = (
        "the baseline {path} has version {version!r} of its format, and this version of invoicing "
        "reads {known}. Nothing was compared. Install the version that wrote it, or write a new "
        "one: pytest --write-query-baseline"
    )


@error_of_fields
class AllowanceError(UsageError):
    """An allowance does not say why."""

    slug: str
    message = (
        "allow({slug!r}) needs a reason: an allowance without one is never looked at again. "
        'Write allow({slug!r}, why="three rows at the most")'
    )


@error_of_fields
class SampleError(UsageError):
    """A share of units of work is none."""

    sample: object
    message = "sample={sample!r} is no share. Give a number above 0 and up to 1: 0.1 is every tenth"


class TooManyStatementsError(InvoicingError, AssertionError):
    """A block of code sent more statements than it may.

    Attributes:
        limit: how many it may send.
        statements: one line for each it sent.
        findings: one line for each finding among them.
    """

    def __init__(self, limit: int, statements: list[str], findings: list[str]) -> None:
        self.limit = limit
        self.statements = statements
        self.findings = findings
        head = f"{len(statements)} statements were sent, {limit} are allowed"
        super().__init__(_listed(head, statements, findings))


class SlowQueriesError(InvoicingError, AssertionError):
    """A block of code waited longer for its statements than it may.

    Attributes:
        seconds: how long.
        limit: how long it may.
        statements: one line for each, the slowest first.
        findings: one line for each finding among them.
    """

    def __init__(
        self, seconds: float, limit: float, statements: list[str], findings: list[str]
    ) -> None:
        self.seconds = seconds
        self.limit = limit
        self.statements = statements
        self.findings = findings
        head = (
            f"the program waited {seconds * 1000:,.1f} ms for {len(statements)} statements, "
            f"{limit * 1000:,.1f} ms are allowed"
        )
        super().__init__(_listed(head, statements, findings))


class WastefulQueriesError(InvoicingError, AssertionError):
    """A block of code that may waste nothing did.

    Attributes:
        findings: one line for each finding.
        statements: one line for each statement it sent.
    """

    def __init__(self, findings: list[str], statements: list[str]) -> None:
        self.findings = findings
        self.statements = statements
        head = f"{len(statements)} statements were sent, and they are wasteful"
        super().__init__(_listed(head, statements, findings))


@error_of_fields
class QueryBudgetError(UsageError):
    """A query budget does not say what it allows."""

    reason: str
    message = (
        "this query budget allows nothing to be checked: {reason}. Write for example "
        "query_budget(2) or query_budget(no_findings=True)"
    )


@error_of_fields
class QueriesMagicError(UsageError):
    """The line of %%queries is not understood."""

    reason: str
    message = "%%queries: {reason}. Write %%queries [--allow SLUG] [--parameters]"


@error_of_fields
class ProgramMissingError(UsageError):
    """A program that was to be profiled is not there.

    Attributes:
        program: its name.
        kind: script or module.
    """

    program: str
    kind: str
    message = "there is no {kind} {program}; {self.other}. Run: invoicing profile --help"

    @property
    def other(self) -> str:
        """How the other kind is named."""
        if self.kind == "script":
            return "a module is named after -m"
        return "a script is named without -m"


def _listed(head: str, statements: list[str], findings: list[str]) -> str:
    lines = [f"{head}:", *(f"  {line}" for line in statements)]
    if findings:
        lines += ["Findings:", *(f"  {line}" for line in findings)]
    return "\n".join(lines)
