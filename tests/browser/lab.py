"""JupyterLab as a person has it: a real server, a real browser, a notebook's panel in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Locator, Page

TOKEN = "a-token-of-the-tests"
# The notebook in front; others stay in the page behind it.
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
PATIENCE = 40_000  # milliseconds


class Lab:
    """JupyterLab in one page of a browser.

    Args:
        page: of the browser.
        address: of the server, such as http://127.0.0.1:8888.
        pictures: where pictures are kept; None to take none.
        workspace: of its own, for a second tab that is loaded again.
    """

    def __init__(
        self, page: Page, address: str, pictures: Path | None, workspace: str = "default"
    ) -> None:
        self.page, self.address, self._pictures = page, address, pictures
        self._root = f"/lab/workspaces/{workspace}"

    async def begin(self, path: str = "") -> None:
        """Open the server's own first page, or the file at `path`, in a fresh workspace."""
        where = f"{self._root}/tree/{path}?reset&token=" if path else "/?token="
        await self.page.goto(f"{self.address}{where}{TOKEN}")
        await self.ready()
        await self.theme("Light")

    async def ready(self) -> None:
        """Wait until everything that was open is open again."""
        await self.page.wait_for_function("window.jupyterapp !== undefined", timeout=PATIENCE)
        await self.page.evaluate("window.jupyterapp.restored")

    async def open(self, name: str) -> Notebook:
        """Open a notebook with a kernel of its own."""
        await self.begin(f"{name}.ipynb")
        return await self.notebook()

    async def notebook(self) -> Notebook:
        """Return the notebook in front, when its kernel is ready."""
        await self.page.wait_for_selector(f"{PANEL} .jp-Notebook-cell", timeout=PATIENCE)
        await self.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")
        return Notebook(self)

    async def command(self, name: str, **arguments: str) -> Any:
        """Run one of JupyterLab's commands, as its menus do, and wait for its end."""
        run = f"window.jupyterapp.commands.execute({name!r}, {json.dumps(arguments)})"
        # What a command returns is often no JSON; whether it is true is.
        return await self.page.evaluate(f"(async () => Boolean(await {run}))()")

    async def theme(self, name: str) -> None:
        """Change to the theme `Light` or `Dark`."""
        await self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        shown = f"body[data-jp-theme-name='JupyterLab {name}']"
        await self.page.wait_for_selector(shown, state="attached")

    async def picture(self, name: str) -> None:
        """Keep what the page looks like, where pictures are asked for."""
        if self._pictures is not None:
            await self.page.wait_for_timeout(700)  # nothing says that a page has been painted
            await self.page.screenshot(path=self._pictures / f"{name}.png")


class Notebook:
    """The notebook in front."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.page = lab, lab.page

    async def cells(self) -> list[dict[str, Any]]:
        """Return the cells as they are saved."""
        return await self.page.evaluate(
            "[...window.jupyterapp.shell.currentWidget.content.model.cells].map(c => c.toJSON())"
        )

    async def _select(self, cell: str) -> None:
        names = [cell["id"] for cell in await self.cells()]
        content = "window.jupyterapp.shell.currentWidget.content"
        await self.page.evaluate(f"{content}.activeCellIndex = {names.index(cell)}")

    async def run(self, cell: str) -> None:
        """Run one cell to its end, which is no error."""
        await self._select(cell)
        ran = await self.lab.command("notebook:run-cell")
        assert ran, [found for found in await self.cells() if found["id"] == cell]

    async def start(self, cell: str) -> None:
        """Run one cell, and do not wait for its end."""
        await self._select(cell)
        await self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-cell')")

    async def run_all(self) -> None:
        """Run every cell, as the menu does."""
        await self.lab.command("notebook:run-all-cells")

    async def run_before(self, cell: str) -> None:
        """Run every cell before one, to their end."""
        await self._select(cell)
        await self.lab.command("notebook:run-all-above")

    async def replace(self, cell: str, old: str, new: str) -> None:
        """Change a cell's text, as a reader who types does."""
        (source,) = [found["source"] for found in await self.cells() if found["id"] == cell]
        assert old in source
        await self.write(cell, source.replace(old, new))

    async def write(self, cell: str, source: str) -> None:
        """Give a cell another text."""
        names = [cell["id"] for cell in await self.cells()]
        model = (
            f"window.jupyterapp.shell.currentWidget.content.model.cells.get({names.index(cell)})"
        )
        await self.page.evaluate(f"{model}.sharedModel.setSource({json.dumps(source)})")

    async def show(self, cell: str) -> Locator:
        """Scroll to a cell and return what stands below it."""
        await self._select(cell)
        names = [cell["id"] for cell in await self.cells()]
        content = "window.jupyterapp.shell.currentWidget.content"
        await self.page.evaluate(f"{content}.scrollToItem({names.index(cell)}, 'start')")
        shown = self.page.locator(f"{PANEL} .jp-mod-active .jp-OutputArea")
        await shown.first.wait_for(timeout=PATIENCE)
        return shown.first

    async def idle(self) -> None:
        """Wait until the kernel has ended all that was sent to it."""
        kernel = "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        await self.page.wait_for_function(f"() => {kernel}.status === 'idle'", timeout=PATIENCE)

    async def restart(self) -> None:
        """Restart the kernel, as the menu does once one has said yes."""
        await self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
        )
        await self.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")

    async def troubles(self) -> list[str]:
        """Return what should not be seen in an output: errors, warnings, bare objects."""
        troubles = []
        for cell in await self.cells():
            for output in cell.get("outputs", []):
                text = json.dumps(output.get("data", output.get("text", "")))
                bare = "text/html" not in output.get("data", {}) and " object at 0x" in text
                wrong = output["output_type"] == "error" or output.get("name") == "stderr"
                if wrong or bare or "Traceback" in text:
                    troubles.append(f"{cell['id']}: {json.dumps(output)[:600]}")
        return troubles

    async def cut_off(self) -> list[str]:
        """Return the outputs that are wider than the page shows."""
        return await self.page.evaluate(
            f"""[...document.querySelectorAll("{PANEL} .jp-OutputArea-output")]
            .filter(shown => shown.scrollWidth > shown.clientWidth + 2)
            .map(shown => `${{shown.scrollWidth}} pixels: ` + shown.outerHTML.slice(0, 300))"""
        )
