"""Two tabs, two kernels, one database, whose server is killed and comes back meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from invoicing.db import Database
from invoicing.db.migrations import upgrade
from invoicing.sample import load_sample
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation
from tests.browser.conftest import SIZE
from tests.browser.lab import PATIENCE, Lab
from tests.browser.test_rename_panel import button, opened
from tests.conftest import server_names, throw_away_server
from tests.postgres.conftest import kill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import Locator

    from invoicing.toolkit.postgres import Server

expect.set_options(timeout=PATIENCE)
BOARD = """
from invoicing.notebook import RenamePanel
from invoicing.toolkit.rename import Rename, Target
await RenamePanel(Rename(database, Target("account", "name", "title"))).open()
"""


@pytest.fixture
def own_server(browser_path: str) -> Iterator[Server]:
    """Yield a server with a sample that no other test is connected to."""
    if not server_names()[0].isdigit():
        pytest.skip("a server that others use is not killed")

    async def fill(server: Server) -> None:
        async with Database(server.url(), Settings()) as database:
            await upgrade(database)
            await load_sample(database, accounts=20, invoices=2_000)

    with throw_away_server(find_installation(int(server_names()[0]))) as server:
        asyncio.run(fill(server))
        yield server


async def agreed(panel: Locator, label: str, said: str) -> None:
    """Click a phase on a real database, say yes, and wait for its end."""
    await button(panel, label).click()
    await button(panel, "Yes, continue").click()
    await expect(panel).to_contain_text(said)


async def test_two_kernels_see_one_rename_and_outlive_the_server(
    lab: Lab, own_server: Server
) -> None:
    address = own_server.url().render_as_string(hide_password=False)
    walkthrough = await lab.open("03_rename_walkthrough")
    await walkthrough.replace("parameters", 'database = ""', f'database = "{address}"')
    names = '"invoice", "amt", "amount_cents"'
    await walkthrough.replace("parameters", names, '"account", "name", "title"')
    board = await opened(walkthrough)
    await agreed(board, "Expand", "Both names work")

    browser = lab.page.context.browser
    other = Lab(await browser.new_page(viewport=SIZE), lab.address, None, "second")
    notebook = await other.open("01_dashboard")
    await notebook.replace("setup", "open_database()", f"open_database({address!r})")
    await notebook.write("frame", BOARD)
    for cell in ("parameters", "setup", "page", "frame"):
        await notebook.run(cell)
    page, second = await notebook.show("page"), await notebook.show("frame")
    # What the other kernel did is shown here, and the other way about.
    await expect(second).to_contain_text("(expanded)")
    await agreed(second, "Backfill", "20 rows filled in")
    await expect(board).to_contain_text("(backfilled)")
    await expect(button(board, "Verify")).to_be_enabled()

    page = await notebook.show("page")
    await expect(page.locator("table.dataTable tbody tr")).to_have_count(10)
    name = page.locator(".page-answer b").first
    await expect(name).not_to_be_empty()
    shown = await name.inner_text()
    kill(own_server.ensure_running().pid)
    await expect(board).to_contain_text("Stale: cannot connect to")
    assert await board.locator("button:enabled").count() == 0
    search, answer = page.get_by_label("Search").first, page.locator(".page-answer")
    await search.fill("a")
    await expect(page).to_contain_text("It is tried again every 2 s")
    assert "invoicing-stale" in (await answer.get_attribute("class") or "")
    await expect(answer.locator("b").first).to_have_text(shown)

    own_server.ensure_running()
    # Nothing is clicked: each finds the server again by itself.
    await expect(board).not_to_contain_text("Stale")
    await expect(button(board, "Verify")).to_be_enabled()
    await expect(page).to_contain_text("accounts have such a name")
    assert "invoicing-stale" not in (await answer.get_attribute("class") or "")
    await search.fill("no account has this name")
    await expect(page).to_contain_text("no account has such a name")
    await agreed(board, "Verify", "20 of 20 rows equal")

    # The page that is loaded again is alive, with no cell run; that of a lost kernel says so.
    await other.command("docmanager:save")
    await other.page.reload()
    await other.ready()
    notebook = await other.notebook()
    page = await notebook.show("page")
    await page.get_by_label("Search").first.fill("")
    await expect(page.locator("table.dataTable tbody tr")).to_have_count(10)
    await expect(page.locator(".board-lost")).not_to_be_visible()
    await notebook.restart()
    await expect(page.locator(".board-lost")).to_be_visible()
