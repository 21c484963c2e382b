"""The walkthrough is stopped and killed in the middle, and the next kernel ends what it began."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.notebooks.kernels import running_kernel

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy.engine import URL

    from tests.notebooks.kernels import Kernel

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_rename_walkthrough.ipynb"
CELLS = {
    cell["id"]: "".join(cell["source"])
    for cell in json.loads(NOTEBOOK.read_text())["cells"]
    if cell["cell_type"] == "code"
}
SLOWLY = """
from dataclasses import replace
walk.rename.options = replace(walk.rename.options, batch_size=100, stripes=1, pause=0.2)
"""
WHERE = """
counts, status = await walk.rename.counts(), await walk.rename.status()
print(status.phase, 0 < counts.equal < counts.rows, counts.different, status.operator)
"""


def run_cells(kernel: Kernel, first: str, last: str) -> None:
    """Run the notebook's cells from one to another, but those that try what fails."""
    ids = list(CELLS)
    for name in ids[ids.index(first) : ids.index(last) + 1]:
        if name == "naive":
            continue
        output, error, _ = kernel.run(CELLS[name])
        assert not error, (name, kernel.traceback, output)


def kernel_for(url: URL) -> AbstractContextManager[Kernel]:
    return running_kernel(os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)})


def test_a_stopped_and_a_killed_kernel_lose_nothing(empty_database_url: URL) -> None:
    with kernel_for(empty_database_url) as kernel:
        run_cells(kernel, "parameters", "setup")
        run_cells(kernel, "expand", "expand")
        kernel.run(SLOWLY)
        _, error, _ = kernel.run("await walk.backfill()", interrupt_after=1.5)
        assert error == "CancelledError"
        assert kernel.run(WHERE)[0] == "backfilling True 0 None"
        kernel.begin("await walk.backfill()")
        time.sleep(0.7)
        kernel.kill()
    with kernel_for(empty_database_url) as kernel:
        run_cells(kernel, "parameters", "parameters")
        kernel.run('leftover = "go on"')
        run_cells(kernel, "setup", "setup")
        assert kernel.run(WHERE)[0] == "backfilling True 0 None"
        run_cells(kernel, "expand", "contract")
        assert kernel.run(WHERE)[0] == "contracted False 0 None", kernel.traceback
        # The last cell offers to close, and closes nothing by itself.
        run_cells(kernel, "close", "close")
        assert kernel.run(WHERE)[0] == "contracted False 0 None"
        assert "was dropped" in kernel.run("print(await walk.close())")[0]
