"""A JupyterLab server as `make lab` starts it, and a browser; skipped where there is none."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest
from playwright.async_api import async_playwright

from invoicing.cli.demo import ACCOUNTS, INVOICES
from invoicing.cli.working_copy import update_copy
from invoicing.db import Database
from invoicing.sample import load_sample
from invoicing.settings import Settings
from tests.browser.lab import TOKEN, Lab
from tests.conftest import execute, server_names

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from playwright.async_api import Page
    from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Nothing but this machine is to be asked for anything.
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
SIZE = {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def browser_path() -> str:
    """Return the browser's program, or skip."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser is installed; looked for {', '.join(BROWSERS)}")
    return found


@pytest.fixture(scope="session")
def sample_url(
    browser_path: str, servers: Callable[[str], URL], templates: Callable[[URL], str]
) -> Iterator[URL]:
    """Yield a database with the sample of `make demo`, on the oldest server."""
    server = servers(server_names()[-1])
    url, template = server.set(database=f"test_{uuid4().hex[:12]}"), templates(server)

    async def make() -> None:
        await execute(server, f"CREATE DATABASE {url.database} TEMPLATE {template}")
        async with Database(url, Settings()) as database:
            await load_sample(database, accounts=ACCOUNTS, invoices=INVOICES)

    asyncio.run(make())
    yield url
    asyncio.run(execute(server, f"DROP DATABASE {url.database} WITH (FORCE)"))


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the notebooks' copies."""
    return tmp_path_factory.mktemp("lab") / "notebooks"


@pytest.fixture(scope="session")
def address(sample_url: URL, copies: Path) -> Iterator[str]:
    """Yield the address of a server as `make lab` starts it, on copies of the notebooks."""
    folder = copies.parent
    copies.mkdir()  # each test has its own in it
    own = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    asked = subprocess.run(
        # Below another make, as in `make test`, it would tell of the folders it enters and leaves.
        ["make", "--no-print-directory", "--dry-run", "lab"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    command = shlex.split(asked.stdout.splitlines()[-1])
    command.remove("--notebook-dir=.notebooks")
    options = [
        f"--notebook-dir={copies}",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--IdentityProvider.token={TOKEN}",
        "--LabApp.expose_app_in_browser=True",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=ROOT,
            env=os.environ
            | own
            | {"DATABASE_URL": sample_url.render_as_string(hide_password=False)},
            stdout=log,
            stderr=log,
        )
    try:
        where = f"http://127.0.0.1:{port}"
        _wait_for(f"{where}/api?token={TOKEN}", folder / "log", process)
        yield where
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urlopen(url, timeout=5).close()
        except (URLError, OSError):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        else:
            return


@pytest.fixture
async def page(browser_path: str) -> AsyncIterator[Page]:
    """Yield a page of the browser, 1280 pixels wide."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_path,
            args=["--no-sandbox", *QUIET] if os.getuid() == 0 else [*QUIET],
        )
        try:
            yield await browser.new_page(viewport=SIZE)
        finally:
            await browser.close()


def _begin_anew(address: str, copies: Path) -> None:
    """End every kernel and copy the notebooks again: an earlier test changed and saved its own."""

    def ask(path: str, method: str) -> bytes:
        headers = {"Authorization": f"token {TOKEN}"}
        with urlopen(Request(f"{address}{path}", headers=headers, method=method)) as answer:
            return answer.read()

    for session in json.loads(ask("/api/sessions", "GET")):
        ask(f"/api/sessions/{session['id']}", "DELETE")
    shutil.rmtree(copies)
    update_copy(ROOT / "notebooks", copies)


@pytest.fixture
def lab(address: str, copies: Path, page: Page) -> Lab:
    """Return the page with JupyterLab to be opened in it."""
    _begin_anew(address, copies)
    kept = ROOT / "notebooks" / "pictures" if os.environ.get("INVOICING_UPDATE_PICTURES") else None
    return Lab(page, address, kept)
