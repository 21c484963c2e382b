"""Operators in processes of their own, and three ways to kill them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from invoicing.db.url import libpq_url
from tests.rename.faults import kill_server, terminate_backends
from tests.rename.operator_process import FAILED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server

KILLS = int(os.environ.get("INVOICING_TEST_KILLS", "3"))
KINDS = ("operator", "connections", "server")


class Operator:
    """A process that renames; it can be killed, and another one takes over."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, url: URL, strategy: str, end: str) -> Operator:
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.rename.operator_process",
                libpq_url(url, password=True),
                strategy,
                end,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def go_on(self) -> None:
        """Let it contract."""
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()

    async def comes_to(self, point: str) -> bool:
        """Return whether it came to `point`, and did not end before."""
        while line := await self._process.stdout.readline():
            if line.decode().strip() == point:
                return True
        return False

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def end(self) -> tuple[int, str]:
        """Return its exit code and what it said at its end."""
        _, said = await self._process.communicate()
        return self._process.returncode, said.decode()


@asynccontextmanager
async def operator(
    url: URL, strategy: str = "columns", end: str = "contract"
) -> AsyncIterator[Operator]:
    """Yield an operator at work, killed at the end if it has not ended by itself."""
    process = await Operator.start(url, strategy, end)
    try:
        yield process
    finally:
        await process.kill()


async def kill(kind: str, operator: Operator, server: Server, url: URL) -> None:
    """Kill one of the three, and see that whoever is left behind says what to do."""
    if kind == "operator":
        await operator.kill()
        return
    if kind == "connections":
        await terminate_backends(url, "invoicing rename")
    else:
        await kill_server(server)
    if await operator.comes_to("ready"):
        # It was between two phases, without any connection to lose.
        await operator.kill()
        return
    code, said = await operator.end()
    # It had done all, and was only about to end.
    if code != 0:
        assert code == FAILED, said
        assert len(said.splitlines()) == 1, said
        assert re.search(r"[Rr]un(: invoicing | the same command again)", said), said
