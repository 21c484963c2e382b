"""What a recording holds: its statements, what they cost together, and what is wasteful in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.capture.collector import without_collections
from invoicing.toolkit.profiling.findings.evidence import Evidence
from invoicing.toolkit.profiling.findings.registry import find

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.capture.capture import Capture
    from invoicing.toolkit.profiling.capture.explain import QueryPlan
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.findings.thresholds import Thresholds
    from invoicing.toolkit.profiling.statement import Allowance, Statement, Transaction


class Recorded:
    """The figures of a recording; `Recorder` makes one, and shows it."""

    lost: int
    plans: dict[int, QueryPlan]
    thresholds: Thresholds
    allow: tuple[str, ...]
    _capture: Capture
    # Once it is over, it is judged once.
    _is_over = False
    _kept_judgement: tuple[list[Finding], list[Allowance]] | None = None

    @property
    def statements(self) -> list[Statement]:
        """The statements so far, in the order they were sent; made anew while it records."""
        return self._capture.statements

    @property
    def transactions(self) -> list[Transaction]:
        """The units of work so far, in the order they began."""
        return self._capture.transactions

    @property
    def left_out(self) -> int:
        """Units of work that were not in the sample, and of which nothing is known."""
        return self._capture.left_out

    @property
    def connections_opened(self) -> int:
        """Connections the recorded code had to make; what that took on the wire is not counted."""
        return self._capture.connections_opened

    @property
    def round_trips(self) -> int | None:
        """Times the server had to answer, BEGIN, ROLLBACK, COMMIT, prepare and ping included.

        None where a driver does not let it be known.
        """
        traffic = self._capture.traffic
        return None if traffic is None else traffic.requests

    @property
    def bytes_received(self) -> int | None:
        """Bytes the server sent; None where a driver does not let it be known."""
        traffic = self._capture.traffic
        return None if traffic is None else traffic.received

    @property
    def bytes_sent(self) -> int | None:
        """Bytes the server got; None where a driver does not let it be known."""
        traffic = self._capture.traffic
        return None if traffic is None else traffic.sent

    @property
    def rows(self) -> int:
        """Rows that came back, of all statements of which it is known."""
        return sum(statement.rows or 0 for statement in self.statements)

    @property
    def database_seconds(self) -> float:
        """Time the program waited for statements; COMMIT and ROLLBACK are not in it."""
        return sum(statement.database_seconds for statement in self.statements)

    @property
    def server_seconds(self) -> float | None:
        """The server's part of it; None where it is not known of every statement."""
        parts = [statement.server_seconds for statement in self.statements]
        return None if None in parts else sum(part for part in parts if part is not None)

    @property
    def driver_seconds(self) -> float | None:
        """The driver's and the wire's part of it; None where the server's is not known."""
        server = self.server_seconds
        return None if server is None else max(self.database_seconds - server, 0.0)

    @property
    def orm_seconds(self) -> float:
        """Time spent making objects of rows."""
        return sum(statement.orm_seconds for statement in self.statements)

    @property
    def findings(self) -> list[Finding]:
        """What is wasteful in it, each with its line and the option to add."""
        return self._judged[0]

    @property
    def unused_allowances(self) -> list[Allowance]:
        """The blocks of `allow` that allowed nothing, one for each line."""
        return self._judged[1]

    @property
    def _judged(self) -> tuple[list[Finding], list[Allowance]]:
        if self._kept_judgement is not None:
            return self._kept_judgement
        evidence = self._evidence()
        with without_collections():
            findings = find(evidence, self.allow)
        used = {(each.caller, each.slug) for each in evidence.used}
        entered = {(each.caller, each.slug): each for each in self._capture.allowances}
        unused = [each for place, each in entered.items() if place not in used]
        if self._is_over:
            self._kept_judgement = findings, unused
        return findings, unused

    def _evidence(self) -> Evidence:
        capture = self._capture
        return Evidence(
            self.statements,
            capture.transactions,
            capture.attribute_reads.index(),
            self.thresholds,
            self.plans,
            capture.invoked.statements,
        )
