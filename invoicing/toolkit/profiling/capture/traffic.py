"""Share out what a connection's tap counts among those who use the connection in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from invoicing.toolkit.profiling.capture.wire import WireTap


class WireTraffic(NamedTuple):
    """What has passed on the wire; `waited` in nanoseconds."""

    requests: int = 0
    received: int = 0
    sent: int = 0
    waited: int = 0


Marks = tuple[int, ...]
NOTHING: Marks = (0, 0, 0, 0)


def total_of(marks: list[Marks]) -> WireTraffic:
    """Return what passed between each pair of marks, all together."""
    columns = zip(*marks, strict=True)
    return WireTraffic(*(sum(column[1::2]) - sum(column[::2]) for column in columns))


class ConnectionTraffic:
    """One connection's traffic, as one recording sees it.

    Attributes:
        connection: the connection's number in the recording.
        tap: what counts; None where nothing can, and after the recording.
        counts_bytes, counts_requests: what can be counted on it.
        latency: nanoseconds of the network there and back.
        held: whether the recorded code has the connection checked out.
    """

    __slots__ = (
        "_spans",
        "connection",
        "counts_bytes",
        "counts_requests",
        "driver",
        "held",
        "latency",
        "tap",
    )

    def __init__(self, connection: int, driver: object, tap: WireTap | None) -> None:
        self.connection = connection
        # Kept so that its id is not given to another.
        self.driver = driver
        self.tap = tap
        self.counts_bytes = tap is not None
        self.counts_requests = tap is not None and tap.counts_requests
        self.latency = tap.latency if tap is not None else 0
        self.held = True
        self._spans = [self.marks()]

    def marks(self) -> Marks:
        """Return the counts as they are now."""
        tap = self.tap
        return NOTHING if tap is None else (tap.requests, tap.received, tap.sent, tap.waited)

    def check_in(self) -> None:
        """Note that whoever had it has it no more; what passes next is for who has it next."""
        now = self.marks()
        if self.held:
            self._spans += (now, now)
        else:
            self._spans[-1] = now
        self.held = False

    def total(self) -> WireTraffic:
        """Return what passed while the recorded code had it."""
        return total_of([*self._spans, self.marks() if self.held else self._spans[-1]])

    def release(self) -> None:
        """Leave the connection as it was found."""
        self.check_in()
        if self.tap is not None:
            self.tap.release()
            self.tap = None


def is_autocommit(connection: Connection) -> bool:
    """Return whether each statement on a connection is a transaction of its own."""
    level = connection.get_execution_options().get("isolation_level")
    if level is not None:
        return str(level).upper() == "AUTOCOMMIT"
    try:
        return connection.dialect.detect_autocommit_setting(
            connection.connection.dbapi_connection  # type: ignore[arg-type]
        )
    except NotImplementedError:
        return False
