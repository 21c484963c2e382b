"""An operator at work in a process of its own, to be killed: each phase, from wherever it stands.

    python -m tests.rename.operator_process URL STRATEGY contract|rollback

It says `begun`, and knows nothing of the runs before it: the database does. It says `filled` before
it verifies. Before the contract it says `ready` and waits for a line, so that a test can deploy.
"""

# Nothing is imported that takes long: a test starts many of these.
from __future__ import annotations

import asyncio
import sys
import time

from invoicing.db import Database
from invoicing.errors import InvoicingError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target

FAILED = 1


async def walk(url: str, strategy: str, end: str) -> None:
    options = Options(strategy=strategy, batch_size=200, workers=2, quiet=0.2)
    async with Database(url, Settings()) as database:
        rename = Rename(database, Target("invoice", "amt", "amount_cents"), options)
        say("begun")
        await (rename.rollback() if end == "rollback" else contract(rename))


async def contract(rename: Rename) -> None:
    if (await rename.status()).phase not in {Phase.CONTRACTING, Phase.CONTRACTED}:
        await rename.expand()
        await rename.backfill()
        say("filled")
        assert (await rename.verify()).ok
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        deadline = time.monotonic() + 60
        while objections := (await rename.gate()).objections:
            assert time.monotonic() < deadline, objections
            await asyncio.sleep(0.1)
    await rename.contract(confirm="invoice.amt")


def say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(walk(*sys.argv[1:]))
    except InvoicingError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(FAILED)
