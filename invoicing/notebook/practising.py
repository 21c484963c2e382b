"""A notebook's practice databases: whose each is, and what an earlier run has left there.

A walkthrough owns its database alone; the panel's is shared by the notebooks that show it. Each is
dropped by the last one that closes, and never while another has it open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Literal, TypeAlias

from sqlalchemy import text

from invoicing.db.url import beside
from invoicing.errors import UsageError
from invoicing.notebook.confirm import confirm, is_attended
from invoicing.practice import (
    NOTEBOOK,
    PracticeShare,
    drop_practice,
    open_practice,
    practice_maker,
    renew_practice,
)
from invoicing.toolkit.rename import Phase, Rename
from invoicing.visible import visible

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.db import Database
    from invoicing.toolkit.rename import Target

Leftover: TypeAlias = Literal["ask", "go on", "begin anew"]
# Phases from which the cells of a walkthrough can be run again.
_GOES_ON = frozenset(
    {Phase.EXPANDING, Phase.EXPANDED, Phase.BACKFILLING, Phase.BACKFILLED}
    | {Phase.VERIFYING, Phase.VERIFIED}
)
_BEGUN = text("SELECT to_regnamespace('invoicing_rename') IS NOT NULL")
# Seconds to wait for another notebook that makes or drops the database.
_PATIENCE = 60.0


@dataclass
class PracticeDatabase:
    """A practice database that is open.

    Attributes:
        database: its connections.
        share: what says that it is in use.
        rows: how many rows it is made with.
    """

    database: Database
    share: PracticeShare
    rows: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return visible(self.database.url.database or "")

    async def close(self, *, drop: bool = True) -> str:
        """Close it, drop it where that is this notebook's to do, and return what became of it."""
        await self.database.dispose()
        async with self.share:
            if not drop:
                return f"{self.name} was kept"
            if not await self.share.leave():
                return f"{self.name} was kept: it is open elsewhere ({await self.share.holders()})"
            if await practice_maker(self.database.url) != NOTEBOOK:
                return f"{self.name} was kept: no notebook made it. Run: {_DROP}"
            await drop_practice(self.database)
            return f"{self.name} was dropped"

    async def renew(self) -> None:
        """Make it anew.

        Raises:
            UsageError: another notebook has it open.
        """
        if not await self.share.own():
            who = await self.share.holders()
            message = f"{self.name} is open elsewhere ({who}). Nothing was changed. Close it there"
            raise UsageError(message)
        try:
            await self.database.dispose()
            made = await renew_practice(self.database.url, invoices=self.rows, maker=NOTEBOOK)
            await made.dispose()
        finally:
            await self.share.disown()


_DROP = "invoicing rename practice --drop"


async def own_practice(
    url: URL, target: Target, *, rows: int, leftover: Leftover
) -> PracticeDatabase:
    """Open a database that no other notebook has open: that of `url`, else of the next number.

    Args:
        url: of the practice database.
        target: what is renamed there.
        rows: how many it is made with.
        leftover: what to do with one that an earlier run has left in the middle of a rename. Asked
            where no person can click, it is made anew.
    """
    for number in count(1):
        wanted = url if number == 1 else beside(url, f"{url.database}_{number}")
        share = PracticeShare(wanted)
        if await share.own():
            break
        if is_attended():
            who = await share.holders()
            print(f"{visible(wanted.database or '')} is open elsewhere ({who}).")
        await share.release()
    try:
        if number > 1 and is_attended():
            print(f"This notebook practises in {visible(wanted.database or '')}.")
        maker = await practice_maker(wanted)
        database = await open_practice(wanted, invoices=rows, maker=NOTEBOOK)
        ours = maker == NOTEBOOK
        if maker is not None and not await _goes_on(database, target, rows, leftover, ours=ours):
            await database.dispose()
            database = await renew_practice(wanted, invoices=rows, maker=NOTEBOOK)
    except BaseException:
        await share.release()
        raise
    return PracticeDatabase(database, share, rows)


async def join_practice(url: URL, *, rows: int) -> PracticeDatabase:
    """Open a database that other notebooks may have open too, as it is; made if need be."""
    share = PracticeShare(url)
    async with asyncio.timeout(_PATIENCE):
        while True:
            if await share.own():
                # No other can join before it is made.
                database = await open_practice(url, invoices=rows, maker=NOTEBOOK)
                await share.join()
                await share.disown()
                return PracticeDatabase(database, share, rows)
            if await share.join():
                database = await open_practice(url, invoices=rows, maker=NOTEBOOK)
                return PracticeDatabase(database, share, rows)
            await asyncio.sleep(0.2)


async def _goes_on(
    database: Database, target: Target, rows: int, leftover: Leftover, *, ours: bool
) -> bool:
    """Tell whether what is there is gone on with; ask, where a person can answer.

    Without a word only what a notebook has made is made anew.
    """
    if leftover != "ask":
        return leftover == "go on"
    rename = Rename(database, target)
    status, found = await rename.status(), (await rename.counts()).rows
    async with database.read_only() as session:
        # policy: allow query-outside-services -- it asks the catalog, no table
        begun = bool(await session.scalar(_BEGUN))
    if status.phase is Phase.NONE and not begun:
        return found == rows or not ours
    name = visible(database.url.database or "")
    left = f"a practice database of an earlier run, {name}, at phase {status.phase} with {found:,}"
    if status.phase not in _GOES_ON and ours:
        if is_attended():
            print(f"There was {left} rows, and nothing to go on with. It was made anew.")
        return False
    question = f"There is {left} rows. Go on with it, or begin anew with {rows:,} rows?"
    return await confirm(question, unattended=False, answers=("Go on", "Begin anew"))
