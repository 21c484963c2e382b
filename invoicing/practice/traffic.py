"""Live traffic: clients of old and of new code at work on the invoices, while the schema changes.

Old code knows only the old name of the amount, new code only the new one. Every client sends
requests at its own set times, whether or not the last one was quick, and a ledger keeps what was
written, to be compared with the table afterwards.

    async with Traffic(url, clients=8, rate=200) as traffic:
        ...                            # expand, backfill
        await traffic.deploy(over=5)   # client by client, both versions at work meanwhile
    report = await traffic.verify()

What it does not do: no two clients write the same row at once, but for a few shared rows to which
all of them add. Who wins such a race is PostgreSQL's affair, and no ledger could tell.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING, Self

from sqlalchemy import func, select

from invoicing.db import Database
from invoicing.models import Account
from invoicing.practice.client import Client
from invoicing.practice.code import CodeVersion
from invoicing.practice.figures import LatencyRecorder
from invoicing.practice.ledger import Ledger, verify_ledger
from invoicing.practice.requests import BLIND, EVERYTHING, Requests
from invoicing.services.errors import NoSuchAccountNameError
from invoicing.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sqlalchemy.engine import URL

    from invoicing.practice.figures import Mark, TrafficFigures
    from invoicing.practice.ledger import LedgerReport

OLD_CODE = CodeVersion("old", "amt")
NEW_CODE = CodeVersion("new", "amount_cents")
_SHARED_ROWS = 4
_PAGE = 8192
# Seconds to wait for clients and their requests.
_PATIENCE = 30.0


class Traffic:
    """Clients at work, from `async with` to its end.

    Args:
        url: the database.
        clients: how many there are at first, all of them on `old` code.
        rate: requests a second of all of them together.
        adopt: rows already in the table that the clients also work on.
        old, new: what each version of the code calls the amount.
        seed: decides what each client does; when it does it depends on the machine.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        clients: int = 8,
        rate: float = 100.0,
        adopt: int = 1_000,
        old: CodeVersion = OLD_CODE,
        new: CodeVersion = NEW_CODE,
        seed: int = 0,
    ) -> None:
        self.old, self.new = old, new
        self.ledger = Ledger()
        self._recorder = LatencyRecorder()
        self._first = clients
        self._interval = clients / rate
        self._adopt = adopt
        self._seed = seed
        self._accounts: list[UUID] = []
        self._clients: list[Client] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._databases = {code.name: self._database(url, code) for code in (old, new)}

    async def __aenter__(self) -> Self:
        await self._look_around()
        self.join(self.old, self._first)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self._recorder.elapsed

    @property
    def history(self) -> list[tuple[float, float]]:
        """Each answered request: when, in seconds since the beginning, and its latency."""
        return self._recorder.history()

    @property
    def code_of_clients(self) -> Mapping[str, int]:
        """How many clients run each version of the code."""
        names = [client.code.name for client in self._clients if not client.stopping]
        return {code.name: names.count(code.name) for code in (self.old, self.new)}

    def join(self, code: CodeVersion, clients: int, *, blind: bool = False) -> None:
        """Let more clients join, at the same rate as the others.

        Args:
            code: the version of the code they run.
            clients: how many.
            blind: whether they only write, and read nothing: before the backfill is complete, new
                code finds NULL in a row that has not been written since the expand.
        """
        for number in range(len(self._clients), len(self._clients) + clients):
            random = Random(f"{self._seed} {number}")  # noqa: S311 -- no secret
            client = Client(
                number,
                code,
                self._databases[code.name],
                BLIND if blind else EVERYTHING,
                self._interval,
                Requests(self.ledger, self._accounts, random),
                self._recorder,
            )
            self._clients.append(client)
            self._tasks.append(asyncio.create_task(client.run(), name=f"client {number}"))

    async def deploy(self, code: CodeVersion | None = None, *, over: float = 0.0) -> None:
        """Move every client to `code`, the new one by default, one after another `over` seconds.

        A client ends its request on the old connections and sends the next one on new ones, as
        behind a load balancer. When this returns, no request of another version is under way.
        """
        code = code or self.new
        moving = [c for c in self._clients if c.code != code or c.mix is not EVERYTHING]
        for client in moving:
            client.mix = EVERYTHING
            client.code, client.database = code, self._databases[code.name]
            await asyncio.sleep(over / len(moving))
        await _until(lambda: all(c.sending in {None, code} for c in self._clients))

    async def drain(self, code: CodeVersion) -> None:
        """Close the connections that the clients of `code` have left behind: its pods are gone."""
        await self._databases[code.name].dispose()

    def mark(self) -> Mark:
        """Return this moment, for `figures(since=...)`."""
        return self._recorder.mark()

    def figures(self, since: Mark | None = None) -> TrafficFigures:
        """Return how the traffic fares, while it runs or afterwards."""
        return self._recorder.figures(since)

    async def answered(self, requests: int) -> None:
        """Return when so many more requests have been answered.

        Raises:
            TimeoutError: they were not, in half a minute.
        """
        enough = self._recorder.answered + requests
        async with asyncio.timeout(_PATIENCE):
            await _until(lambda: self._recorder.answered >= enough)

    async def ended(self, requests: int) -> None:
        """Return when so many more requests have ended, answered or not.

        Raises:
            TimeoutError: they have not, in half a minute.
        """
        mark = self.mark()
        async with asyncio.timeout(_PATIENCE):
            await _until(lambda: sum(self.figures(mark).requests.values()) >= requests)

    async def stop(self) -> None:
        """Let every client end its request, then close the connections."""
        for client in self._clients:
            client.stopping = True
        async with AsyncExitStack() as stack:
            for database in self._databases.values():
                stack.push_async_callback(database.dispose)
            if self._tasks:
                _, late = await asyncio.wait(self._tasks, timeout=_PATIENCE)
                for task in late:
                    task.cancel()
                ends = await asyncio.gather(*self._tasks, return_exceptions=True)
                self._tasks.clear()
                # A client of ours that broke is no failed request: it is a mistake in this code.
                for end in ends:
                    if isinstance(end, Exception):
                        raise end

    async def verify(self, *codes: CodeVersion) -> LedgerReport:
        """Compare the ledger with the table, by the name each of `codes` knows; all by default."""
        try:
            database = self._databases[self.old.name]
            return await verify_ledger(database, self.ledger, *(codes or (self.old, self.new)))
        finally:
            await database.dispose()

    def _database(self, url: str | URL, code: CodeVersion) -> Database:
        settings = Settings.read()
        return Database(
            url,
            settings.model_copy(
                update={
                    "application_name": f"invoicing {code.name} code",
                    "pool_size": max(self._first, settings.pool_size),
                }
            ),
        )

    async def _look_around(self) -> None:
        """Find accounts to write invoices to, and rows to work on."""
        async with self._databases[self.old.name].read_only() as session:
            self._accounts = list(await session.scalars(select(Account.id).limit(100)))
            if not self._accounts:
                raise NoSuchAccountNameError("")
            size = await session.scalar(select(func.pg_relation_size(self.old.table)))
            found = await session.execute(self.old.sample(self._adopt, (size or 0) // _PAGE))
            for number, (row, amount) in enumerate(found):
                self.ledger.adopt(row, amount, shared=number < _SHARED_ROWS)


async def _until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 -- clients do not say when a request ends
        await asyncio.sleep(0.01)
