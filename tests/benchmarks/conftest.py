"""A server as users have it (nothing unsafe switched on), in a folder that goes away."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.db import Database
from invoicing.db.migrations import upgrade
from invoicing.sample import load_sample
from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, home_folder
from tests.conftest import execute

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy.engine import URL

INVOICES = int(os.environ.get("INVOICING_BENCH_INVOICES", "8_000_000"))
INVOICES_AN_ACCOUNT = 80


@pytest.fixture(scope="session")
def bench_server() -> Iterator[URL]:
    """Yield the URL of a server with the embedded server's own settings, started for this run."""
    server = Server(home_folder(Settings.read()) / "bench" / "postgres", of_home=True)
    server.ensure_running()
    yield server.url()
    server.stop()


@pytest.fixture
async def bench_database(bench_server: URL) -> AsyncIterator[Database]:
    """Yield an empty database at the newest migration."""
    name = f"bench_{uuid4().hex[:12]}"
    await execute(bench_server, f"CREATE DATABASE {name}")
    async with Database(bench_server.set(database=name), Settings()) as database:
        await upgrade(database)
        yield database
    await execute(bench_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sample_of(bench_server: URL) -> Iterator[Callable[[int], URL]]:
    """Yield a function that returns a database with so many invoices, made at its first call."""
    made: dict[int, URL] = {}

    async def make(url: URL, invoices: int) -> None:
        await execute(bench_server, f"CREATE DATABASE {url.database}")
        async with Database(url, Settings()) as database:
            await upgrade(database)
            accounts = max(invoices // INVOICES_AN_ACCOUNT, 1)
            await load_sample(database, accounts=accounts, invoices=invoices)

    def sample(invoices: int) -> URL:
        if invoices not in made:
            made[invoices] = bench_server.set(database=f"bench_{uuid4().hex[:12]}")
            asyncio.run(make(made[invoices], invoices))
        return made[invoices]

    yield sample
    for url in made.values():
        asyncio.run(execute(bench_server, f"DROP DATABASE IF EXISTS {url.database} WITH (FORCE)"))


@pytest.fixture
def results_folder() -> Path:
    """Return the folder where a benchmark leaves its figures."""
    folder = home_folder(Settings.read()) / "bench" / "results"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# What the README's table is made of: the last run of each benchmark, with its day and machine.
MEASURED = Path(__file__).with_name("measured.json")


@pytest.fixture(scope="session")
def measured(bench_server: URL) -> Callable[..., None]:
    """Return what takes down a figure: what it is, how it is shown, its goal, whether met."""
    version = asyncio.run(_version(bench_server))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, PostgreSQL {version}, Python "
    machine += platform.python_version()

    def note(what: str, shown: str, goal: str = "", *, met: bool = True) -> None:
        figures = json.loads(MEASURED.read_text()) if MEASURED.exists() else {}
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        goal += "" if met else ", not reached"
        figures[what] = {"measured": shown, "goal": goal, "date": day, "machine": machine}
        MEASURED.write_text(json.dumps(figures, indent=2) + "\n")

    return note


async def _version(server: URL) -> str:
    async with Database(server, Settings()) as database:
        return await database.server_version()
