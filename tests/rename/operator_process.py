"""An operator at work in a process of its own, to be killed: each phase, from wherever it stands.

    python -m tests.rename.operator_process URL STRATEGY

It says `begun`, and knows nothing of the runs before it: the database does. Before the contract it
says `ready` and waits for a line, so that a test can deploy.
"""

from __future__ import annotations

import asyncio
import sys

from invoicing.db import Database
from invoicing.errors import InvoicingError
from invoicing.rename import Options, Phase, Rename, Target
from invoicing.settings import Settings
from tests.rename.state import gate_opens

FAILED = 1


async def walk(url: str, strategy: str) -> None:
    options = Options(strategy=strategy, batch_size=200, workers=2, quiet=0.2)
    async with Database(url, Settings()) as database:
        say("begun")
        rename = Rename(database, Target("invoice", "amt", "amount_cents"), options)
        if (await rename.status()).phase not in {Phase.CONTRACTING, Phase.CONTRACTED}:
            await rename.expand()
            await rename.backfill()
            assert (await rename.verify()).ok
            say("ready")
            await asyncio.to_thread(sys.stdin.readline)
            await gate_opens(rename)
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
