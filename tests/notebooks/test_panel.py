"""The rename's buttons, as a browser drives them: by clicks of its widgets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.notebook import RenamePanel
from invoicing.rename import Options, Phase, Rename, Target
from invoicing.settings import Settings
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine import URL

ROWS = 2_000


@pytest.fixture
async def panel(empty_database_url: URL) -> AsyncIterator[RenamePanel]:
    """Yield the buttons of a rename that has not begun."""
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        f"INSERT INTO bill SELECT n, n FROM generate_series(1, {ROWS}) AS n",
        "ANALYZE bill",
    )
    async with Database(empty_database_url, Settings()) as database:
        target = Target("bill", "amt", "cents")
        options = Options(batch_size=100, quiet=0.1)
        panel = RenamePanel(Rename(database, target, options), interval=0.1)
        await panel.open()
        yield panel
        await panel.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 -- a widget has no event to wait for
            await asyncio.sleep(0.02)


async def click(panel: RenamePanel, name: str, said: str) -> None:
    await until(lambda: not panel.buttons[name].disabled)
    panel.buttons[name].click()
    await until(lambda: said in panel.message.value)


def offered(panel: RenamePanel) -> set[str]:
    return {name for name, button in panel.buttons.items() if not button.disabled}


async def test_what_comes_next_can_be_clicked_and_nothing_else(panel: RenamePanel) -> None:
    assert offered(panel) == {"expand"}
    await click(panel, "expand", "Both names are right")
    assert offered(panel) == {"backfill", "rollback"}
    await click(panel, "backfill", f"{ROWS:,} rows filled")
    assert offered(panel) == {"verify", "rollback"}
    await click(panel, "verify", f"{ROWS:,} of {ROWS:,} rows equal")
    assert offered(panel) == {"gate", "verify", "rollback"}
    await click(panel, "gate", "The old column may go")
    panel.typed.value = "bill.amt"
    await until(lambda: "contract" in offered(panel))
    await click(panel, "contract", "bill.amt is gone")
    assert offered(panel) == {"restore"}
    assert "&#10003; contract" in panel.way.value
    await click(panel, "restore", "rows filled")


async def test_what_goes_wrong_is_said_beside_the_buttons(panel: RenamePanel) -> None:
    url = panel.rename.database.url
    await execute(url, "ALTER TABLE bill ADD cents text")
    await click(panel, "expand", "cannot rename")
    assert "var(--jp-error-color1)" in panel.message.value
    await execute(url, "ALTER TABLE bill DROP cents")
    await click(panel, "expand", "Both names are right")


async def test_it_shows_what_another_operator_does(panel: RenamePanel) -> None:
    other = Rename(panel.rename.database, panel.rename.target, Options(batch_size=20, pause=0.05))
    await other.expand()
    stop = asyncio.Event()
    work = asyncio.create_task(other.backfill(stop=stop))
    await until(lambda: "at work" in panel.facts.value)
    assert offered(panel) == set()
    stop.set()
    await work
    await until(lambda: "backfill" in offered(panel))
    assert (await panel.rename.status()).phase is Phase.BACKFILLING


async def test_a_table_that_is_gone_is_told_once_and_looked_for_again(panel: RenamePanel) -> None:
    url = panel.rename.database.url
    await execute(url, "ALTER TABLE bill RENAME TO away")
    await until(lambda: "bill" in panel.message.value)
    await execute(url, "ALTER TABLE away RENAME TO bill")
    await until(lambda: panel.message.value == "")
