"""Random transactions of every kind at once, folds in between, and the tables as the judge."""

from __future__ import annotations

import asyncio
import os
from random import Random
from typing import TYPE_CHECKING

from invoicing.rollup import build_rollup, check_rollup, fold_rollup
from tests.rollup.chaos import work_at_once

if TYPE_CHECKING:
    from invoicing.db import Database

SEED = 20
WRITERS = 4
# Transactions of each writer; more in `make bench`.
TRANSACTIONS = int(os.environ.get("INVOICING_TEST_TRANSACTIONS", "25"))


async def test_totals_and_changes_are_what_the_tables_come_to(database: Database) -> None:
    """Writers are at work before the roll-up is built, while it is, and all through the folds."""
    randoms = [Random(SEED * 1000 + n) for n in range(WRITERS)]
    assert await work_at_once(database.url, randoms, 5) > 0
    writing = asyncio.create_task(work_at_once(database.url, randoms, TRANSACTIONS))
    await build_rollup(database)
    folded = checks = most = 0
    while not writing.done():
        await asyncio.sleep(0.05)
        checked = await check_rollup(database)
        assert not checked.different, checked.shown
        checks, most = checks + 1, max(most, checked.rows)
        if checks % 3:
            folded += (await fold_rollup(database)).changes
    assert writing.result() > WRITERS * TRANSACTIONS // 3
    assert folded
    assert checks > 2
    last = await check_rollup(database)
    await fold_rollup(database)
    after = await check_rollup(database)
    assert not last.different, last.shown
    assert not after.different, after.shown
    assert (after.unfolded, after.rows) == (0, last.rows)
    # The last transactions may have emptied the tables.
    assert most > 0
