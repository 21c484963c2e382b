"""A rename by its buttons, stopped in the middle, with a kernel that is restarted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import Locator, expect

from tests.browser.lab import PATIENCE

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
    await lab.picture("rename-buttons")
    await button(panel, "Stop").click()
    await expect(panel).to_contain_text("Stopped between two batches")
    await expect(panel).to_contain_text("(backfilling)")

    await button(panel, "Backfill").click()
    await expect(button(panel, "Stop")).to_be_enabled()
    await notebook.restart()
    panel = await opened(notebook)
    await expect(panel).to_contain_text("(backfilling)")
    await button(panel, "Backfill").click()
    await expect(panel).to_contain_text("rows filled in")

    await button(panel, "Verify").click()
    await expect(panel).to_contain_text("20,000 of 20,000 rows equal")
    await expect(button(panel, "Contract")).to_be_disabled()
    await panel.locator("input[type=text]").fill("invoice.amt")
    await button(panel, "Contract").click()
    await expect(panel).to_contain_text("invoice.amt was dropped")
    await expect(panel).to_contain_text("(contracted)")
    await lab.theme("Dark")
    await lab.picture("rename-buttons-dark")
    assert await notebook.troubles() == []
    await notebook.run("close")
    assert await notebook.troubles() == []


async def ended(notebook: Notebook, panel: Locator) -> None:
    """Close the notebook of a rename that is not under way."""
    await expect(panel).to_contain_text("(none)")
    assert await notebook.troubles() == []
    await notebook.run("close")


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
    name, yes = panel.locator("input[type=text]:visible"), button(panel, "Yes, continue")
    await name.fill("invoice.amt")
    await name.press("Enter")
    await expect(yes).to_be_disabled()
    await expect(panel).to_contain_text("(backfilled)")
    await name.fill(" invoice.amount_cents ")
    await yes.click()
    await expect(panel).to_contain_text("Everything is as it was before the expand")
    await ended(notebook, panel)


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
    await ended(notebook, panel)


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
    await expect(panel).to_contain_text(re.compile(r"lock holder pid \d+"))
    await expect(button(panel, "Backfill")).to_be_disabled()
    await expect(button(panel, "Stop")).to_be_enabled()
    await expect(panel).to_contain_text("(backfilled)")
    await expect(button(panel, "Verify")).to_be_enabled()
    await notebook.run("close")
