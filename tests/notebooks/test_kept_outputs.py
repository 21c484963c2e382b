"""Every notebook runs headless, and gives the outputs that are kept in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from invoicing.cli.demo import ACCOUNTS, INVOICES
from invoicing.db import Database
from invoicing.sample import load_sample
from invoicing.settings import Settings
from tests.conftest import execute, server_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.engine import URL

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
NEWEST = server_names()[:1]
# The longer ones run on the other servers elsewhere: in tests/browser, and the rename's cells in
# test_rename_walkthrough.
RUNS = [
    pytest.param(server, notebook, id=f"{server}-{notebook.stem}")
    for notebook in sorted(NOTEBOOKS.glob("*.ipynb"))
    for server in (server_names() if notebook.stem == "01_dashboard" else NEWEST)
]


@pytest.fixture
def server(
    request: pytest.FixtureRequest, servers: Callable[[str], URL], templates: Callable[[URL], str]
) -> tuple[URL, str]:
    """Return a server of those to run on, and its migrated database."""
    found = servers(request.param)
    return found, templates(found)


@pytest.fixture
async def sample_url(server: tuple[URL, str]) -> AsyncIterator[URL]:
    """Yield a database with the sample that the kept outputs were made on."""
    server, template = server
    url = server.set(database=f"test_{uuid4().hex[:12]}")
    await execute(server, f"CREATE DATABASE {url.database} TEMPLATE {template}")
    async with Database(url, Settings()) as database:
        await load_sample(database, accounts=ACCOUNTS, invoices=INVOICES)
    yield url
    await execute(server, f"DROP DATABASE {url.database} WITH (FORCE)")


def nbval(notebook: Path, url: URL) -> subprocess.CompletedProcess[str]:
    """Run `notebook` by nbval against its kept outputs, on the database at `url`."""
    options = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-q", "--tb=short"]
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            f"--nbval-sanitize-with={NOTEBOOKS / 'sanitize.cfg'}",
            "--override-ini=filterwarnings=default",
            "--override-ini=addopts=-p no:cacheprovider",
            str(notebook),
        ],
        env=os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)},
        cwd=NOTEBOOKS.parent,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("server", "notebook"), RUNS, indirect=["server"])
async def test_the_kept_outputs_are_what_a_run_gives(notebook: Path, sample_url: URL) -> None:
    run = nbval(notebook, sample_url)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]


@pytest.mark.parametrize("server", NEWEST, indirect=True)
async def test_one_changed_cent_is_noticed(sample_url: URL) -> None:
    notebook = NOTEBOOKS / "01_dashboard.ipynb"
    (invoice_id,) = [
        line.split()[0]
        for cell in json.loads(notebook.read_text())["cells"]
        if cell["id"] == "dashboard"
        for line in cell["outputs"][0]["data"]["text/plain"][2:3]
    ]
    async with Database(sample_url, Settings()) as database, database.transaction() as session:
        changed = text("UPDATE invoice SET amount_cents = amount_cents + 1 WHERE id = :id")
        assert (await session.execute(changed, {"id": invoice_id})).rowcount == 1
    run = nbval(notebook, sample_url)
    assert run.returncode == 1, run.stdout[-3000:]
    code = [c for c in json.loads(notebook.read_text())["cells"] if c["cell_type"] == "code"]
    number = [cell["id"] for cell in code].index("dashboard")
    assert f"01_dashboard.ipynb::Cell {number} " in run.stdout


@pytest.mark.parametrize("notebook", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_keep_to_the_house_style(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    assert cells[0]["cell_type"] == "markdown"
    assert "".join(cells[0]["source"]).startswith("# ")
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code[0]["metadata"].get("tags") == ["parameters"], "the first of code is the parameters"
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1))
    assert max(len(cell["source"]) for cell in code) <= 15
    assert not any(output["output_type"] == "error" for cell in code for output in cell["outputs"])
