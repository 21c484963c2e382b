"""What a profile refuses or finds too much of."""

from __future__ import annotations

from difflib import get_close_matches

from invoicing.errors.root import InvoicingError, UsageError


class ProfilingTargetError(UsageError):
    """What was to be recorded leads to no engine.

    Attributes:
        given: the type of what was given.
    """

    def __init__(self, given: str) -> None:
        self.given = given
        super().__init__(
            f"cannot record the statements of a {given}: it leads to no engine. Give an engine, a "
            "connection, a session, a sessionmaker or a Database; or nothing, for all engines"
        )


class RecorderInUseError(UsageError):
    """A recorder was entered while it records."""

    def __init__(self) -> None:
        super().__init__(
            "this recorder is recording already. Make one for each block: record_queries(...)"
        )


class ExplainError(UsageError):
    """Statements of an async engine were to be explained where nothing can be awaited."""

    def __init__(self) -> None:
        super().__init__(
            "statements of an async engine are explained by awaiting the server. Write: "
            "async with record_queries(engine, explain=True)"
        )


class LoadingPathError(UsageError):
    """A path is no path of relationships.

    Attributes:
        step: what is wrong in it.
        reason: why.
    """

    def __init__(self, step: str, reason: str) -> None:
        self.step = step
        self.reason = reason
        super().__init__(
            f"cannot compare the loading of {step}: {reason}. Give a relationship "
            "(Invoice.lines), a tuple for a chain of them, or a list of siblings"
        )


class StrategiesDifferError(InvoicingError):
    """Two loading strategies did not bring the same objects, so they cannot be compared.

    Attributes:
        strategy: the one that differs from the first.
        parents: objects it brought.
        expected: objects the first brought.
    """

    def __init__(self, strategy: str, parents: int, expected: int) -> None:
        self.strategy = strategy
        self.parents = parents
        self.expected = expected
        super().__init__(
            f"{strategy} did not bring the same objects as the first strategy ({parents:,} parents "
            f"against {expected:,}): the statement does not always select the same. Give it an "
            "ORDER BY that says which rows come first, and a database at rest"
        )


class UnknownFindingError(UsageError):
    """A slug is no finding's.

    Attributes:
        slug: what was given.
        known: the slugs there are.
    """

    def __init__(self, slug: str, known: tuple[str, ...]) -> None:
        self.slug = slug
        self.known = known
        near = get_close_matches(slug, known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        super().__init__(f"{slug!r} is no finding. {meant}There are: {', '.join(known)}")


class TooManyStatementsError(InvoicingError, AssertionError):
    """A block of code sent more statements than it may.

    Attributes:
        limit: how many it may send.
        statements: one line for each it sent.
    """

    def __init__(self, limit: int, statements: list[str]) -> None:
        self.limit = limit
        self.statements = statements
        listed = "\n".join(f"  {line}" for line in statements)
        super().__init__(f"{len(statements)} statements were sent, {limit} are allowed:\n{listed}")
