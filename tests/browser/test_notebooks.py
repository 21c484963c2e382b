"""Each notebook in the real JupyterLab, as the people who use it do."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.lab import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser.lab import Lab, Notebook

expect.set_options(timeout=PATIENCE)
NOTEBOOKS = ("01_dashboard", "02_loading_strategies", "03_rename_walkthrough")


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


@pytest.mark.parametrize("name", NOTEBOOKS[:2])  # the third: test_rename_panel.py
async def test_all_cells_run_and_nothing_is_cut_off(lab: Lab, name: str) -> None:
    notebook = await lab.open(name)
    await notebook.run_before("close")
    assert await notebook.troubles() == []
    assert await notebook.cut_off() == []
    await PICTURES[name](lab, notebook)
    await notebook.run("close")
    assert await notebook.troubles() == []


async def picked(lab: Lab, notebook: Notebook) -> None:
    """Pick another account: table and plot change."""
    await money_is_readable(notebook)
    picker = await notebook.show("picker")
    table, plot = picker.locator("caption"), picker.locator("img")
    await expect(table).to_have_count(1)
    first = await table.inner_text(), await plot.get_attribute("src")
    await picker.locator("input[type=text]").fill("optics")
    accounts = picker.locator("select")
    await expect(accounts.locator("option").first).to_contain_text("Optics")
    await expect(table).to_contain_text("Optics")
    second = await table.inner_text(), await plot.get_attribute("src")
    await accounts.select_option(index=1)
    await expect(table).not_to_have_text(second[0])
    third = await table.inner_text(), await plot.get_attribute("src")
    assert len({first[0], second[0], third[0]}) == len({first[1], second[1], third[1]}) == 3
    await lab.picture("dashboard-picker")
    await picker.locator("input[type=text]").fill("no account has this name")
    await expect(picker).to_contain_text("no account has such a name")
    await lab.theme("Dark")
    await notebook.show("dashboard")
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
PICTURES = dict(zip(NOTEBOOKS[:2], (picked, compared), strict=True))
