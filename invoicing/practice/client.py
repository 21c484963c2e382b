"""One client of live traffic: request after request, as a service at work sends them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.errors import DatabaseUnavailableError
from invoicing.practice.figures import RequestOutcome
from invoicing.practice.requests import Requests, WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoicing.db import Database
    from invoicing.practice.code import CodeVersion
    from invoicing.practice.figures import LatencyRecorder
    from invoicing.practice.requests import Request

# Class 08 is a connection's end; the others are what a server says that is going down.
_LOST = ("08", "57P01", "57P02", "57P03")
# asyncpg's own, for what happens outside a statement reaches us as it is.
_DRIVER_ERRORS = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


@dataclass
class Client:
    """A client, the version of the code it runs, and how often it sends a request.

    Attributes:
        number: tells it from the others.
        code, database, mix: changed while it runs: that is a deploy.
        interval: seconds between two requests.
        stopping: set it to end the client after its present request.
        sending: the version of the code whose request is under way; None when none is.
    """

    number: int
    code: CodeVersion
    database: Database
    mix: Mapping[str, int]
    interval: float
    requests: Requests
    recorder: LatencyRecorder
    stopping: bool = field(default=False, init=False)
    sending: CodeVersion | None = field(default=None, init=False)

    async def run(self) -> None:
        """Send requests until `stopping`; each is due at a set time, however late the last was."""
        due = perf_counter() + self.requests.random.random() * self.interval
        while not self.stopping:
            await asyncio.sleep(max(due - perf_counter(), 0))
            await self._send(self.requests.next(self.code, self.mix), due)
            # A server that was away is not to be met by everything that it missed.
            due = max(due + self.interval, perf_counter() - 1)

    async def _send(self, request: Request, due: float) -> None:
        self.sending = code = self.code
        self.recorder.start(self.number)
        outcome, reason, sqlstate = (
            RequestOutcome.LOST,
            "",
            None,
        )  # what a cancelled request is, too
        try:
            await self._attempt(request)
            outcome = RequestOutcome.DONE
        except WrongAnswerError as error:
            outcome, reason = RequestOutcome.FAILED, str(error)
        except DatabaseUnavailableError:
            outcome = RequestOutcome.UNAVAILABLE
        except _DRIVER_ERRORS as error:
            if not _is_lost(error):
                outcome, sqlstate, reason = RequestOutcome.FAILED, *_described(error)
        finally:
            self.sending = None
            self._settle(request, outcome)
            if outcome is RequestOutcome.DONE:
                self.recorder.done(self.number, due, code.name, request.operation)
            elif outcome is RequestOutcome.FAILED:
                self.recorder.failed(self.number, code.name, request.operation, reason, sqlstate)
            else:
                self.recorder.ended(self.number, outcome)
        if outcome is RequestOutcome.UNAVAILABLE:
            await asyncio.sleep(0.05)

    async def _attempt(self, request: Request) -> None:
        """Run a request in one transaction, once more if the schema has changed meanwhile.

        A prepared statement whose result has another shape than before is refused before it has
        done anything, and the driver then forgets its plans: so that the second try succeeds.
        """
        database = self.database
        try:
            async with database.transaction() as session:
                await request.work(session)
        except DBAPIError as error:
            if not is_outdated_plan(error):
                raise
            self.recorder.replanned += 1
            async with database.transaction() as session:
                await request.work(session)

    def _settle(self, request: Request, outcome: RequestOutcome) -> None:
        ledger = self.requests.ledger
        if request.row is not None and request.effect is not None:
            if outcome is RequestOutcome.DONE:
                ledger.acknowledge(request.row, request.effect)
            elif outcome is RequestOutcome.LOST:
                ledger.doubt(request.row, request.effect)
        if request.held is not None:
            ledger.release(request.held)


def is_outdated_plan(error: DBAPIError) -> bool:
    """Tell whether a statement was refused because the schema changed since it was prepared."""
    cause = error.orig.__cause__ if error.orig else None
    return isinstance(cause, asyncpg.InvalidCachedStatementError)


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, (OSError, asyncpg.InterfaceError)):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    sqlstate = getattr(getattr(error, "orig", error), "sqlstate", None)
    return str(sqlstate).startswith(_LOST)


def _described(error: BaseException) -> tuple[str | None, str]:
    if isinstance(error, DBAPIError):
        refused = explain(error)
        return refused.sqlstate, refused.reason
    return getattr(error, "sqlstate", None), next(iter(str(error).splitlines()), "")
