"""Each notebook in the real JupyterLab, as the people who use it do."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest
from playwright.async_api import expect

from tests.browser.lab import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser.lab import Lab, Notebook

expect.set_options(timeout=PATIENCE)
FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
# The third: test_rename_panel.py.
RUN_HERE = tuple(name for name in NOTEBOOKS if not name.startswith("03"))


async def test_the_first_page_leads_to_each_notebook(lab: Lab) -> None:
    await lab.begin()
    page = lab.page.locator(".jp-MarkdownViewer")
    await expect(page.locator("h1")).to_contain_text("Begin here")
    await lab.picture("lab")
    links = page.locator("a[href*='.ipynb']")
    assert await links.count() == len(NOTEBOOKS)
    await links.first.click()
    notebook = await lab.notebook()
    assert "An account at a glance" in (await notebook.cells())[0]["source"]


@pytest.mark.parametrize("name", RUN_HERE)
async def test_all_cells_run_and_nothing_is_cut_off(lab: Lab, name: str) -> None:
    notebook = await lab.open(name)
    cells = [cell["id"] for cell in await notebook.cells()]
    last = "close" if "close" in cells else cells[-1]
    await notebook.run_before(last)
    assert await notebook.troubles() == []
    assert await notebook.cut_off() == []
    if name in PICTURES:
        await PICTURES[name](lab, notebook)
    await notebook.run(last)
    assert await notebook.troubles() == []


async def analysed(lab: Lab, notebook: Notebook) -> None:
    """Search, narrow, choose an invoice, and save what is shown: the page follows each time."""
    await money_is_readable(notebook)
    page = await notebook.show("page")
    name, row = page.locator(".page-answer b").first, page.locator("table.dataTable tbody tr")
    await expect(row).to_have_count(10)
    await expect(page.locator("svg[role=img]")).to_have_count(3)
    await lab.picture("dashboard-page")
    # More than the page shows: none is left out of the table, and all go into the file.
    await page.get_by_label("Period").select_option("last 24 months")
    await expect(page).to_contain_text("of 500 entries")
    await page.get_by_role("button", name="Export all 562").click()
    await expect(page).to_contain_text("Export all 562: CSV")
    await page.get_by_label("Search").first.fill("linden")
    await expect(name).to_contain_text("Linden")
    await page.locator("input[type=date]").first.fill("2024-01-01")
    await page.locator("input[type=checkbox]").check()
    await expect(row).to_have_count(1)
    await row.first.click()
    await expect(page).to_contain_text("Difference -19.00 USD")
    await page.get_by_text("the lines add up to").first.scroll_into_view_if_needed()
    await lab.picture("dashboard-lines")
    assert await notebook.cut_off() == []
    async with lab.page.expect_download() as saving:
        await page.locator("a[download$='.xlsx']").first.click()
    saved = await saving.value
    assert saved.suggested_filename.startswith("invoices-of-linden")
    with (await saved.path()).open("rb") as file:
        heading, *rows = openpyxl.load_workbook(file).active.values
    (amount,) = [cells[heading.index("difference")] for cells in rows]
    assert amount == -19
    await page.get_by_label("Search").first.fill("no account has this name")
    await expect(page).to_contain_text("no account has such a name")
    await lab.theme("Dark")
    await notebook.show("months")
    await lab.picture("dashboard-dark")


async def money_is_readable(notebook: Notebook) -> None:
    shown = await notebook.show("dashboard")
    amounts = shown.locator("td").filter(has_text=re.compile(r"^[-\d,.]+ [A-Z]{3}$"))
    assert await amounts.count() >= 10
    for cell in await amounts.all():
        assert await cell.evaluate("cell => getComputedStyle(cell).textAlign") == "right"


async def both_themes(lab: Lab, notebook: Notebook, cells: Sequence[tuple[str, str]]) -> None:
    """Take a picture of a cell in the light theme and of another in the dark one."""
    (light, picture), (dark, other) = cells
    await notebook.show(light)
    await lab.picture(picture)
    await lab.theme("Dark")
    await notebook.show(dark)
    await lab.picture(other)


compared = partial(
    both_themes, cells=[("n-plus-one", "loading-n-plus-one"), ("grow", "loading-dark")]
)
portfolio = partial(
    both_themes, cells=[("months", "portfolio"), ("concentration", "portfolio-dark")]
)
PICTURES = {
    "01_dashboard": analysed,
    "02_loading_strategies": compared,
    "04_portfolio": portfolio,
}
