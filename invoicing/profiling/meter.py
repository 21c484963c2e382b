"""Share out what a connection's tap counts among those who use the connection in turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from invoicing.profiling.model import Statement
    from invoicing.profiling.wire import WireTap


class Traffic(NamedTuple):
    """What passed on the wire between two moments; `waited` in nanoseconds."""

    requests: int
    received: int
    sent: int
    waited: int


@dataclass(slots=True, eq=False)
class Totals:
    """What passed on the wire in a whole recording."""

    requests: int = 0
    received: int = 0
    sent: int = 0


class Meter:
    """One connection's traffic, as one recording sees it.

    Attributes:
        connection: the connection's number in the recording.
        tap: what counts; None where nothing can.
        held: whether the recorded code has the connection checked out.
    """

    __slots__ = (
        "_received",
        "_requests",
        "_sent",
        "_totals",
        "_waited",
        "connection",
        "held",
        "tap",
    )

    def __init__(self, connection: int, tap: WireTap | None, totals: Totals) -> None:
        self.connection = connection
        self.tap = tap
        self.held = True
        self._totals = totals
        self._requests = self._received = self._sent = self._waited = 0
        self.skip()

    def skip(self) -> None:
        """Forget what passed since the last call: it was not the recorded code's."""
        tap = self.tap
        if tap is not None:
            self._requests, self._received = tap.requests, tap.received
            self._sent, self._waited = tap.sent, tap.waited

    def claim(self) -> Traffic | None:
        """Return what passed since the last call, and add it to the recording's totals."""
        tap = self.tap
        if tap is None:
            return None
        traffic = Traffic(
            tap.requests - self._requests,
            tap.received - self._received,
            tap.sent - self._sent,
            tap.waited - self._waited,
        )
        self.skip()
        totals = self._totals
        totals.requests += traffic.requests
        totals.received += traffic.received
        totals.sent += traffic.sent
        return traffic

    def charge(self, statement: Statement) -> None:
        """Write down what passed since the last call as this statement's."""
        traffic = self.claim()
        tap = self.tap
        if traffic is None or tap is None:
            return
        statement.bytes_received = (statement.bytes_received or 0) + traffic.received
        if not tap.counts_requests:
            return
        statement.bytes_sent = (statement.bytes_sent or 0) + traffic.sent
        statement.round_trips = (statement.round_trips or 0) + traffic.requests
        server = max(traffic.waited - traffic.requests * tap.latency, 0)
        statement.server_seconds = (statement.server_seconds or 0.0) + server / 1e9
