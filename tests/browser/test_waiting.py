"""A cell that waits in the real JupyterLab: it is stopped, and it asks."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from playwright.async_api import expect
from sqlalchemy import text

from invoicing.db import Database
from invoicing.settings import Settings
from tests.browser.lab import PANEL, PATIENCE

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from tests.browser.lab import Lab

expect.set_options(timeout=PATIENCE)
WAIT = """
from sqlalchemy import text
from invoicing.notebook import confirm, interruptible
async with interruptible(), database.read_only() as session:
    await session.execute(text("SELECT pg_sleep(77)"))
"""
ASK = """
said = await confirm("Drop it?", unattended=False, typed="invoice.amt")
print("said", said)
"""
AT_WORK = text(
    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(77)%'"
    " AND pid <> pg_backend_pid() AND state = 'active'"
)


async def until_at_work(database: Database, wanted: int) -> float:
    """Wait until so many are at work on the server, and return how many seconds that took."""
    begun = time.monotonic()
    async with asyncio.timeout(PATIENCE / 1000):
        while True:
            async with database.read_only() as session:
                if await session.scalar(AT_WORK) == wanted:
                    return time.monotonic() - begun
            await asyncio.sleep(0.05)


async def test_stop_stops_and_a_question_is_answered(lab: Lab, sample_url: URL) -> None:
    notebook = await lab.open("01_dashboard")
    for cell in ("parameters", "setup"):
        await notebook.run(cell)
    async with Database(sample_url, Settings()) as database:
        await notebook.write("frame", WAIT)
        await notebook.start("frame")
        await until_at_work(database, 1)
        await lab.page.locator(f"{PANEL} [data-jp-item-name=interrupt]").click()
        # On the server at once; a busy machine may take its time.
        assert await until_at_work(database, 0) < 10, "it would have gone on for 77 seconds"
    shown = await notebook.show("frame")
    await expect(shown).to_contain_text("CancelledError")

    # Until then the kernel answers what is sent after a failed cell with "aborted".
    await notebook.idle()

    # The kernel lives, and a click is heard while its cell waits for it.
    await notebook.write("frame-sum", ASK)
    await notebook.start("frame-sum")
    shown = await notebook.show("frame-sum")
    yes = shown.get_by_role("button", name="Yes, continue")
    await expect(yes).to_be_disabled()
    await shown.locator("input[type=text]").fill("invoice.amt")
    await yes.click()
    await expect(shown).to_contain_text("said True")
