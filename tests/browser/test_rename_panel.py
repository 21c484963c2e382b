"""A rename by its buttons: after Run All, by the keyboard, stopped, reloaded and restarted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, expect

from tests.browser.lab import PANEL, PATIENCE

if TYPE_CHECKING:
    from tests.browser.lab import Lab, Notebook

expect.set_options(timeout=PATIENCE)
# So that there is a middle to stop in.
SLOWLY = ("batch_size=batch_size", "batch_size=batch_size, stripes=1, pause=0.2")
# So that a page can be loaded again, on a busy machine, before it has ended.
MORE_SLOWLY = (SLOWLY[0], SLOWLY[1].replace("0.2", "0.8"))


def button(panel: Locator, label: str) -> Locator:
    return panel.get_by_role("button", name=label, exact=True)


async def opened(notebook: Notebook) -> Locator:
    """Run what a person runs who wants nothing but the buttons."""
    for cell in ("parameters", "setup", "buttons"):
        await notebook.run(cell)
    return await notebook.show("buttons")


async def test_a_rename_by_buttons_survives_stop_reload_and_restart(lab: Lab) -> None:
    notebook = await lab.open("03_rename_walkthrough")
    await notebook.replace("setup", *SLOWLY)
    panel = await opened(notebook)
    await expect(button(panel, "Backfill")).to_be_disabled()
    await button(panel, "Expand").click()
    await expect(panel).to_contain_text("Both names work")
    await button(panel, "Backfill").click()
    await expect(button(panel, "Stop")).to_be_enabled()
    await expect(panel).to_contain_text("this notebook, pid ")
    await expect(panel).to_contain_text("ETA")
    await lab.picture("rename-buttons")
    await button(panel, "Stop").click()
    await expect(panel).to_contain_text("Stopped between two batches")
    await expect(panel).to_contain_text("(backfilling)")

    await button(panel, "Backfill").click()
    await expect(button(panel, "Stop")).to_be_enabled()
    lost = panel.locator(".board-lost")
    await expect(lost).not_to_be_visible()
    await notebook.restart()
    # Nothing of the kernel is left to say so: the page does.
    await expect(lost).to_be_visible()
    panel = await opened(notebook)
    await expect(panel.locator(".board-lost")).not_to_be_visible()
    await expect(panel).to_contain_text("(backfilling)")
    await button(panel, "Backfill").click()
    await expect(panel).to_contain_text("rows filled in")

    await button(panel, "Verify").click()
    await expect(panel).to_contain_text("20,000 of 20,000 rows equal")
    await button(panel, "Contract").click()
    await expect(button(panel, "Yes, continue")).to_be_disabled()
    await panel.get_by_placeholder("type invoice.amt").fill("invoice.amt")
    await button(panel, "Yes, continue").click()
    await expect(panel).to_contain_text("invoice.amt was dropped")
    await expect(panel).to_contain_text("(contracted)")
    await lab.theme("Dark")
    await lab.picture("rename-buttons-dark")
    await ended(notebook)


async def ended(notebook: Notebook) -> None:
    """Close the notebook by its button; the panel says so, and nothing can be clicked."""
    assert await notebook.troubles() == []
    await notebook.run("close")
    close = (await notebook.show("close")).get_by_role("button")
    await close.click()
    await expect(await notebook.show("close")).to_contain_text("Closed. ")
    panel = await notebook.show("buttons")
    await expect(panel).to_contain_text("Closed: the notebook was closed")
    assert await panel.locator("button:enabled").count() == 0
    assert await notebook.troubles() == []


async def faults(lab: Lab) -> list[str]:
    """Return what axe finds wrong with the panel."""
    found = await Axe().run(lab.page, context=f"{PANEL} .invoicing-board")
    assert not isinstance(found.response, str)
    return [
        f"{fault['id']}: {node['html'][:200]}"
        for fault in found.response["violations"]
        for node in fault["nodes"]
    ]


async def press(lab: Lab, name: str, *, tabs: int) -> None:
    """Go to a control by the Tab key alone, from the one that has the focus, and press Enter."""
    focused = "document.activeElement.textContent || document.activeElement.placeholder"
    for _ in range(tabs):
        if name in await lab.page.evaluate(focused):
            break
        await lab.page.keyboard.press("Tab")
    assert name in await lab.page.evaluate(focused)
    await lab.page.keyboard.press("Enter")


async def test_run_all_ends_in_a_panel_that_works_by_the_keyboard(lab: Lab) -> None:
    notebook = await lab.open("03_rename_walkthrough")
    await notebook.run_all()
    assert await notebook.troubles() == []
    assert await notebook.cut_off() == []
    await notebook.show("expand")
    await lab.picture("rename-expand")
    panel = await notebook.show("buttons")
    await button(panel, "Expand").focus()
    await press(lab, "Expand", tabs=0)
    await expect(panel).to_contain_text("Both names work")
    assert await faults(lab) == []

    # 768 pixels at 150 %: what is left of them is 512.
    await lab.page.set_viewport_size({"width": 512, "height": 768})
    await lab.command("application:toggle-left-area")
    board = panel.locator(".invoicing-board")
    await expect(board).to_be_visible()
    wider = "board => board.scrollWidth - board.clientWidth"
    assert await board.evaluate(wider) <= 2
    await button(panel, "Backfill").focus()
    await press(lab, "Roll back", tabs=4)
    question = panel.get_by_placeholder("type invoice.amount_cents")
    await expect(question).to_be_focused()
    await lab.theme("Dark")
    assert await faults(lab) == []
    assert await board.evaluate(wider) <= 2
    await lab.page.keyboard.type("invoice.amount_cents")
    await expect(button(panel, "Yes, continue")).to_be_enabled()
    await press(lab, "Yes, continue", tabs=3)
    await expect(panel).to_contain_text("Everything is as it was before the expand")
    await lab.page.set_viewport_size({"width": 1280, "height": 900})
    await notebook.show("traffic")
    await lab.picture("rename-dark")
    await ended(notebook)


async def test_a_rollback_asks_and_only_the_name_begins_it(lab: Lab) -> None:
    notebook = await lab.open("03_rename_walkthrough")
    panel = await opened(notebook)
    await expect(panel).to_contain_text(
        re.compile(r"Practice database \S+ on .+ as \w+, PostgreSQL")
    )
    await button(panel, "Expand").click()
    await expect(panel).to_contain_text("Both names work")
    await button(panel, "Backfill").click()
    await expect(panel).to_contain_text("rows filled in")
    await button(panel, "Roll back").click()
    await expect(panel).to_contain_text("20,000 of 20,000 rows have been filled")
    await expect(button(panel, "Verify")).to_be_disabled()
    await lab.picture("rename-rollback")
    await button(panel, "No").click()
    await expect(panel).to_contain_text("nothing was changed")
    await expect(panel).to_contain_text("(backfilled)")

    # A page that is loaded again in the middle of the question shows it again.
    await button(panel, "Roll back").click()
    await expect(panel).to_contain_text("have been filled")
    await lab.page.reload()
    await lab.ready()
    notebook = await lab.notebook()
    await notebook.run("buttons")
    panel = await notebook.show("buttons")
    name = panel.get_by_placeholder("type invoice.amount_cents")
    yes = button(panel, "Yes, continue")
    await name.fill("invoice.amt")
    await name.press("Enter")
    await expect(yes).to_be_disabled()
    await expect(panel).to_contain_text("(backfilled)")
    await name.fill(" invoice.amount_cents ")
    await yes.click()
    await expect(panel).to_contain_text("Everything is as it was before the expand")
    await expect(panel).to_contain_text("(none)")
    await ended(notebook)


async def test_on_a_real_database_a_phase_asks_first(lab: Lab) -> None:
    notebook = await lab.open("03_rename_walkthrough")
    # It is migrated: the name that old code knew is another column's here.
    await notebook.replace("parameters", 'database = ""', 'database = "DATABASE_URL"')
    names = '"invoice", "amt", "amount_cents"'
    await notebook.replace("parameters", names, '"account", "name", "title"')
    panel = await opened(notebook)
    await expect(panel).to_contain_text(re.compile(r"Real database \S+ on .+ as \w+, PostgreSQL"))
    await button(panel, "Expand").click()
    await expect(panel).to_contain_text("It adds title to account")
    await button(panel, "No").click()
    await expect(panel).to_contain_text("nothing was changed")
    await expect(panel).to_contain_text("(none)")
    await ended(notebook)


async def test_what_runs_goes_on_and_can_be_stopped_after_a_reload(lab: Lab) -> None:
    notebook = await lab.open("03_rename_walkthrough")
    await notebook.replace("setup", *MORE_SLOWLY)
    panel = await opened(notebook)
    await button(panel, "Expand").click()
    await expect(panel).to_contain_text("Both names work")
    await button(panel, "Backfill").click()
    await expect(button(panel, "Stop")).to_be_enabled()

    # The page goes away and comes back; the kernel has gone on, and the cell finds it at work.
    await lab.page.reload()
    await lab.ready()
    notebook = await lab.notebook()
    await notebook.run("buttons")
    panel = await notebook.show("buttons")
    await expect(panel).to_contain_text(re.compile(r"this notebook, pid \d+, backfill since"))
    await expect(button(panel, "Backfill")).to_be_disabled()
    await expect(button(panel, "Stop")).to_be_enabled()
    await expect(panel).to_contain_text("(backfilled)")
    await expect(button(panel, "Verify")).to_be_enabled()
    await ended(notebook)
