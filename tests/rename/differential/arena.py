"""Where examples are judged: one server, two databases that are used again and again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from tests.rename.differential.judge import DifferenceError, Judge, Tally
from tests.rename.differential.twins import MAKE_ROLES, Side
from tests.rename.faults import connected

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from tests.rename.differential.case import Case

# Dropping what an example made leaves rows in the catalog, which others then have to pass over.
_USES = 60


class Arena:
    """Two databases, and what became of the examples in them."""

    def __init__(self, server: URL, bin_dir: Path, version: int) -> None:
        self._server, self._bin_dir, self.version = server, bin_dir, version
        self._runner = asyncio.Runner()
        self._sides: list[Side] = []
        self._used = 0
        self.tally = Tally()
        self._runner.run(self._make_roles())

    def judge(self, case: Case) -> None:
        """Judge one example.

        Raises:
            DifferenceError: there is a difference.
        """
        self._runner.run(self._judge(case))

    def close(self) -> None:
        self._runner.run(self._close())
        self._runner.close()

    async def _make_roles(self) -> None:
        async with connected(self._server) as connection:
            for statement in MAKE_ROLES:
                await connection.execute(statement)

    async def _judge(self, case: Case) -> None:
        if not self._sides or self._used >= _USES:
            await self._close()
            self._sides = [await Side.open(self._server, self._bin_dir) for _ in range(2)]
            self._used = 0
        self._used += 1
        ours, twin = self._sides
        try:
            await Judge(case, ours, twin, self.tally).judge()
        except DifferenceError as error:
            error.add_note(case.script())
            raise
        except (asyncpg.PostgresError, AssertionError, TimeoutError) as error:
            # Neither database may be as the next example needs it.
            self._used = _USES
            kind = f"the test itself: {type(error).__name__} {getattr(error, 'sqlstate', '')}"
            trouble = DifferenceError(kind, str(error))
            trouble.add_note(case.script())
            raise trouble from error
        finally:
            await self._clean()

    async def _clean(self) -> None:
        for side in self._sides:
            try:
                await side.clean()
            except asyncpg.PostgresError:
                self._used = _USES

    async def _close(self) -> None:
        for side in self._sides:
            await side.close(self._server)
        self._sides = []
