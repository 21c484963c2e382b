"""A fresh database for each test, on every PostgreSQL this machine has.

The servers are our own, thrown away at the end. `INVOICING_TEST_URLS` (space-separated URLs of a
superuser) names running servers to use instead; with `INVOICING_TEST_NEWEST` the first one stands
for all.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import psutil
import pytest
from hypothesis import settings

from invoicing.cli.late import postpone_grammar
from invoicing.db import Database, parse_url
from invoicing.db.migrations import upgrade
from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, find_installation, find_installations
from tests.draw import pytest_collection_modifyitems, pytest_xdist_make_scheduler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Installation
__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]
TEMPLATE = "invoicing_test_template"
# Each worker imports what reads notebooks.
postpone_grammar()
# How long an example takes is the machine's to say.
settings.register_profile("any machine", parent=settings(), deadline=None)
settings.load_profile("any machine")


# A throw-away server may lose everything when the machine stops, so it waits for no disk.
UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "256MB",
    "max_wal_size": "256MB",
    "autovacuum_naptime": "10min",
}
# A file system in memory, and how much has to be free there and in memory at all.
MEMORY, ROOM = Path("/dev/shm"), 8 * 1024**3
# Reads until the test run has ended, in whatever way it ended, then stops the server.
GUARD = """
cat >/dev/null; pid="$1/postgres/postmaster.pid"; n=0
kill -INT "$(head -n 1 "$pid")"
while [ -e "$pid" ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done
rm -rf "$1" "$2"
"""


def server_names() -> list[str]:
    """Name the servers to test on: URLs, or the major versions of those to start."""
    given = os.environ.get("INVOICING_TEST_URLS", "").split()
    majors = {str(installation.major) for installation in find_installations()}
    # Without any, each test has to fail and say so: an empty list would skip them all.
    names = given or sorted(majors, key=int, reverse=True) or ["18"]
    return names[:1] if os.environ.get("INVOICING_TEST_NEWEST") else names


def throw_away_folder(prefix: str) -> Path:
    """Make a folder with a short path, which any user can enter, for a server's data.

    In memory where there is room: a database is hundreds of files, and some disks take half a
    second to make them.
    """
    try:
        free = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available)
    except OSError:
        free = 0
    place = MEMORY if free > ROOM and os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place)).resolve()
    folder.chmod(0o755)  # where root runs the tests, the server's user has to get in
    return folder


@contextmanager
def throw_away_server(
    installation: Installation, settings: Mapping[str, str] = UNSAFE
) -> Iterator[Server]:
    """Yield a running server in a folder of its own; it ends when this process does.

    A test may kill it and start it again: whichever runs at the end is stopped.
    """
    folder = throw_away_folder("invoicing-tests-")
    server = Server(folder / "postgres", installation, settings=settings)
    server.ensure_running()
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "sh", str(folder), str(server.url().query["host"])],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield server
    finally:
        guard.communicate()


@pytest.fixture(scope="session", autouse=True)
def no_stale_bytecode() -> None:
    """Keep no bytecode of what a test writes.

    Python takes it for current while the source's size and second are those of before; a test
    writes one file twice in a second, and "12, 2" is as long as "12, 3".
    """
    sys.dont_write_bytecode = True


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], URL]]:
    """Yield what finds or starts a server by its name; what it started runs to the end."""
    with ExitStack() as stack:

        @cache
        def url_of(name: str) -> URL:
            if not name.isdigit():
                return parse_url(name)
            return stack.enter_context(throw_away_server(find_installation(int(name)))).url()

        yield url_of


@pytest.fixture(scope="session", params=server_names())
def server_url(request: pytest.FixtureRequest, servers: Callable[[str], URL]) -> URL:
    """Return a superuser's URL of a server; each test that needs one runs on each server."""
    return servers(request.param)


@pytest.fixture(scope="session", params=server_names()[:1])
def newest_server_url(request: pytest.FixtureRequest, servers: Callable[[str], URL]) -> URL:
    """Return the newest server's, for a module whose tests are about what is sent to any server."""
    return servers(request.param)


async def execute(url: URL, *statements: str) -> None:
    """Run `statements`, each by itself, outside a transaction."""
    connection = await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def templates(servers: Callable[[str], URL]) -> Iterator[Callable[[URL], str]]:
    """Yield what makes the migrated database of a server, once, that others are cloned from."""
    made: dict[URL, str] = {}

    async def make(server: URL, name: str) -> None:
        await execute(server, f"CREATE DATABASE {name}")
        async with Database(server.set(database=name), Settings()) as database:
            await upgrade(database)

    def template_of(server: URL) -> str:
        if server not in made:
            made[server] = f"{TEMPLATE}_{uuid4().hex[:8]}"
            asyncio.run(make(server, made[server]))
        return made[server]

    yield template_of
    for server, name in made.items():
        asyncio.run(execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def template(server_url: URL, templates: Callable[[URL], str]) -> str:
    """Return the migrated database that every test's own is cloned from.

    Asked for each test: a folder's own `server_url` may have been another server's before.
    """
    return templates(server_url)


@asynccontextmanager
async def fresh_database(server: URL, template: str = "template1") -> AsyncIterator[URL]:
    """Yield the URL of a new database, and drop it at the end."""
    name = f"test_{uuid4().hex[:12]}"
    await execute(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    yield server.set(database=name)
    await execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(server_url: URL) -> AsyncIterator[URL]:
    """Yield the URL of a database in which no migration has run."""
    async with fresh_database(server_url) as url:
        yield url


@pytest.fixture
async def migrated_database_url(server_url: URL, template: str) -> AsyncIterator[URL]:
    """Yield the URL of a fresh database at the newest migration."""
    async with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture
async def database(migrated_database_url: URL) -> AsyncIterator[Database]:
    """Yield a fresh database at the newest migration."""
    async with Database(migrated_database_url, Settings()) as database:
        yield database
