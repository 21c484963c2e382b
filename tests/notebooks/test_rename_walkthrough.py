"""The walkthrough is stopped and killed in the middle, and the next kernel ends what it began."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
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


REAL = """
from invoicing.notebook import Walkthrough
from invoicing.rename import Options, Target
walk = await Walkthrough.open(
    Target("bill", "amt", "cents"), Options(quiet=0.1), database="DATABASE_URL", {how}
)
"""
BY_PHASES = """
for phase, work in (
    ("expand", walk.rename.expand),
    ("backfill", walk.rename.backfill),
    ("verify", walk.rename.verify),
    ("contract", lambda: walk.rename.contract(confirm="bill.amt")),
):
    await walk.run(phase, work)
print((await walk.rename.status()).phase)
"""


def run_cells(kernel: Kernel, first: str, last: str) -> None:
    """Run the notebook's cells from one to another, but those that try what fails."""
    ids = list(CELLS)
    for name in ids[ids.index(first) : ids.index(last) + 1]:
        if name == "naive":
            continue
        output, error, _ = kernel.run(CELLS[name])
        assert not error, (name, error, output)


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
        run_cells(kernel, "parameters", "setup")
        assert kernel.run(WHERE)[0] == "backfilling True 0 None"
        run_cells(kernel, "expand", "contract")
        assert kernel.run(WHERE)[0] == "contracted False 0 None"
        run_cells(kernel, "close", "close")


@pytest.fixture
async def bills_url(empty_database_url: URL) -> URL:
    """Return a real database, as far as a notebook knows."""
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id bigint PRIMARY KEY, amt bigint NOT NULL)",
        "INSERT INTO bill SELECT n, n FROM generate_series(1, 500) AS n",
    )
    return empty_database_url


@pytest.mark.parametrize(
    ("how", "phase"),
    [
        ("", "none"),
        ("confirm_contract='bill.amt'", "none"),
        ("unattended=True", "verified"),
        ("unattended=True, confirm_contract='bill.cents'", "verified"),
        ("unattended=True, confirm_contract='bill.amt'", "contracted"),
    ],
)
def test_nobody_to_ask_on_a_real_database_ends_before_the_contract(
    how: str, phase: str, bills_url: URL
) -> None:
    with kernel_for(bills_url) as kernel:
        assert kernel.run(REAL.format(how=how), stdin=False)[1] == ""
        output, error, _ = kernel.run(BY_PHASES, stdin=False)
        assert error == ("" if phase != "none" else error)
        assert kernel.run("print((await walk.rename.status()).phase)")[0] == phase
        if phase == "verified":
            assert "contract: not done" in output
            assert "invoicing rename contract bill amt cents" in output
            assert 'confirm_contract = "bill.amt"' in output
            # What takes a filled column away has to be asked about too.
            rollback = "await walk.run('rollback', walk.rename.rollback)"
            output, error, _ = kernel.run(rollback, stdin=False)
            assert ("rollback: not done" in output, error) == (True, "")
            assert "500 of 500 rows" in output
