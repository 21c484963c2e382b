"""Count what passes between a driver and its server: requests, bytes, time spent waiting.

Only asyncpg can be listened to. Its transport is asyncio's, whose protocol can be exchanged while
it runs: ours counts and hands on. Bytes are those of PostgreSQL's own protocol, before TLS. A
request is a write after which the server has to answer (it ends in Sync, Flush or CopyDone, or is
a simple Query): BEGIN, a prepare and an execute are one each, a batch of an executemany is one.

Not known: anything of another driver; requests and waiting of a transport that is not written in
Python (uvloop), of which bytes received are all there is.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# Sync, Flush and CopyDone are a letter and a length of four; they stand last in what is written.
ENDS = frozenset(b"SHc")
SIMPLE_QUERY, LENGTH_OF_EMPTY = ord("Q"), 4
# struct tcp_info in linux/tcp.h
MIN_RTT_OFFSET, NO_RTT = 148, 0xFFFFFFFF


class WireTap(asyncio.Protocol):
    """Stand between one transport and its protocol; shared by all recorders of the connection.

    Attributes:
        requests: requests that had to be answered.
        received, sent: bytes.
        waited: nanoseconds from the end of a request to the first byte of its answer.
        latency: nanoseconds of the network there and back, as the kernel measured; 0 if unknown.
        counts_requests: whether requests and waiting can be known.
    """

    def __init__(self, transport: Any, protocol: Any) -> None:
        self.requests = self.received = self.sent = self.waited = 0
        self.latency = _latency(transport.get_extra_info("socket"))
        self.users = 0
        self._transport = transport
        self._protocol = protocol
        self._asked = 0
        self.counts_requests = self._attach()

    @classmethod
    def on(cls, driver_connection: object) -> WireTap | None:
        """Return the tap on a driver's connection, made if need be; None where there can be none.

        Each call has to be answered by one `release()`.
        """
        transport: Any = getattr(driver_connection, "_transport", None)
        if transport is None or transport.is_closing():
            return None
        protocol = transport.get_protocol()
        if protocol is None or isinstance(protocol, asyncio.BufferedProtocol):
            return None
        tap = protocol if isinstance(protocol, cls) else cls(transport, protocol)
        tap.users += 1
        return tap

    def release(self) -> None:
        """Leave the connection as it was found, once the last user has gone."""
        self.users -= 1
        if self.users or self._transport.get_protocol() is not self:
            return
        self._transport.set_protocol(self._protocol)
        if self.counts_requests:
            del self._transport.write, self._transport.writelines

    def _attach(self) -> bool:
        self._write = self._transport.write
        self._transport.set_protocol(self)
        try:
            self._transport.write = self.write
            self._transport.writelines = self.writelines
        except AttributeError:
            return False
        return True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send on, and note whether the server now has to answer."""
        self._write(data)
        length = len(data)
        self.sent += length
        # An index is quicker than a slice: this is done for each message.
        if (data[-1] == LENGTH_OF_EMPTY and length > LENGTH_OF_EMPTY and data[-5] in ENDS) or (
            data[0] == SIMPLE_QUERY
        ):
            self.requests += 1
            self._asked = perf_counter_ns()

    def writelines(self, parts: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send on as one."""
        self.write(b"".join(parts))

    def data_received(self, data: bytes) -> None:
        """Count and hand on."""
        if self._asked:
            self.waited += perf_counter_ns() - self._asked
            self._asked = 0
        self.received += len(data)
        self._protocol.data_received(data)

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._protocol.eof_received()  # type: ignore[no-any-return]

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        """Hand on."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._protocol.resume_writing()


def _latency(sock: Any) -> int:
    if not hasattr(socket, "TCP_INFO") or getattr(sock, "family", None) not in {
        socket.AF_INET,
        socket.AF_INET6,
    }:
        return 0
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, MIN_RTT_OFFSET + 4)
    if len(info) < MIN_RTT_OFFSET + 4:
        return 0
    (microseconds,) = struct.unpack_from("=I", info, MIN_RTT_OFFSET)
    return 0 if microseconds == NO_RTT else microseconds * 1000
