"""A walkthrough on a real database where no person can be asked, as papermill runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.notebook import Walkthrough
from invoicing.toolkit.rename import Options, Target
from tests.conftest import newest_server_url
from tests.notebooks.bills import create_bills
from tests.notebooks.test_rename_walkthrough import CELLS, kernel_for

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from tests.notebooks.kernels import Kernel

server_url = newest_server_url

ROWS = 500
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "03_rename_walkthrough.ipynb"


def run_unattended(kernel: Kernel, parameters: str) -> str:
    """Run every cell where no question can be asked; return what was printed."""
    printed = ""
    for name, source in CELLS.items():
        code = source.replace("batch_size=batch_size", "batch_size=batch_size, quiet=0.2")
        output, error, _ = kernel.run(code, stdin=False)
        assert not error, (name, kernel.traceback)
        if name == "parameters":
            kernel.run(parameters, stdin=False)
        printed += output
    return printed


@pytest.fixture
async def bills(empty_database_url: URL) -> str:
    """Return the URL of a database that is not one for practice."""
    await create_bills(empty_database_url, ROWS)
    return empty_database_url.render_as_string(hide_password=False)


async def phase_after(bills: str, **how: bool | str) -> str:
    """Run the phases to the contract, and return how far that has come."""
    target, options = Target("bill", "amt", "cents"), Options(quiet=0.1)
    walk = await Walkthrough.open(target, options, database=bills, **how)
    await walk.run("expand", walk.rename.expand)
    if how.get("unattended"):
        await walk.backfill()
        await walk.run("verify", walk.rename.verify)
        await walk.run("contract", lambda: walk.rename.contract(confirm="bill.amt"))
    phase = (await walk.rename.status()).phase
    await walk.close()
    return phase


@pytest.mark.parametrize(
    ("how", "phase"),
    [
        ({}, "none"),
        ({"confirm_contract": "bill.amt"}, "none"),
        ({"unattended": True}, "verified"),
        ({"unattended": True, "confirm_contract": "bill.cents"}, "verified"),
        ({"unattended": True, "confirm_contract": "bill.amt"}, "contracted"),
    ],
    ids=["nothing", "the contract only", "unattended", "another column", "both"],
)
async def test_an_unattended_run_contracts_only_what_is_named(
    how: dict[str, bool | str], phase: str, bills: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await phase_after(bills, **how) == phase
    output = capsys.readouterr().out
    assert ("contract: not done" in output) is (phase == "verified")
    if phase == "verified":
        assert "invoicing rename contract bill amt cents" in output
        assert 'confirm_contract = "bill.amt"' in output


async def test_an_unattended_run_takes_no_filled_column_away(
    bills: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await phase_after(bills, unattended=True) == "verified"
    walk = await Walkthrough.open(
        Target("bill", "amt", "cents"), database=bills, unattended=True, confirm_contract="bill.amt"
    )
    await walk.run("rollback", walk.rename.rollback)
    assert (await walk.rename.status()).phase == "verified"
    await walk.close()
    output = capsys.readouterr().out
    assert f"{ROWS:,} of {ROWS:,} rows have been filled" in output
    assert "rollback: not done" in output
    assert "--confirm bill.cents" in output


def test_the_notebook_has_the_contract_as_a_parameter_of_its_own() -> None:
    cells = {
        load["id"]: "".join(load["source"]) for load in json.loads(NOTEBOOK.read_text())["cells"]
    }
    assert 'confirm_contract = ""' in cells["parameters"]
    assert '"confirm_contract": confirm_contract}' in cells["setup"]


async def test_a_real_database_without_anybody_to_ask_ends_in_sentences(
    empty_database_url: URL,
) -> None:
    await create_bills(empty_database_url, ROWS)
    real = 'database, table, old, new = "DATABASE_URL", "bill", "amt", "cents"'
    with kernel_for(empty_database_url) as kernel:
        printed = run_unattended(kernel, real)
        assert "expand: not done" in printed
        assert "cannot contract bill.amt -> cents: its phase is none" in printed
        printed = run_unattended(kernel, f"{real}; unattended = True")
        assert "all rows equal: True" in printed
        assert "contract: not done" in printed
        assert "phase: verified" in printed
