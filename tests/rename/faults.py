"""What goes wrong on real servers, brought about on purpose and undone at the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.db.migrations import upgrade
from invoicing.sample import load_sample
from invoicing.settings import Settings
from tests.conftest import execute
from tests.postgres.conftest import kill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.engine import URL

    from invoicing.toolkit.postgres import Server, StartReport

T = TypeVar("T")
# What the databases of a server are cloned from, by its folder.
_migrated: dict[Path, URL] = {}


async def connect(url: URL, **settings: str) -> asyncpg.Connection:
    """Return a connection of its own, outside any pool."""
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        server_settings=settings,
    )


@asynccontextmanager
async def connected(url: URL, **settings: str) -> AsyncIterator[asyncpg.Connection]:
    """Yield a connection of its own, closed whatever happens."""
    connection = await connect(url, **settings)
    try:
        yield connection
    finally:
        await connection.close()


async def fetch(url: URL, query: str) -> Any:
    """Return one value."""
    async with connected(url) as connection:
        return await connection.fetchval(query)


async def until(ask: Callable[[], Awaitable[T]], within: float = 60) -> T:
    """Ask until the answer is true, however slow the machine is; return the answer."""
    async with asyncio.timeout(within):
        while True:
            if answer := await ask():
                return answer
            await asyncio.sleep(0.01)


@asynccontextmanager
async def idle_transaction(url: URL, statement: str = "SELECT 1") -> AsyncIterator[int]:
    """Hold a transaction open after `statement`, as a forgotten console does; yield its pid."""
    async with connected(url, application_name="forgotten console") as connection:
        # Without an end: closing the connection rolls back, also after the server was killed.
        await connection.execute(f"BEGIN; {statement}")
        yield connection.get_server_pid()


@asynccontextmanager
async def foreign_lock(url: URL, mode: str = "ACCESS SHARE") -> AsyncIterator[int]:
    """Hold a lock on the invoices, as a report or a dump does; yield the pid of who holds it."""
    async with idle_transaction(url, f"LOCK TABLE invoice IN {mode} MODE") as pid:
        yield pid


async def own_sample(server: Server, invoices: int) -> URL:
    """Return the URL of a new database of `server` with so many invoices; it ends with the server.

    The invoices are as they are at the newest migration.
    """
    if server.data_dir not in _migrated:
        migrated = _migrated[server.data_dir] = await own_database(server)
        async with Database(migrated, Settings()) as database:
            await upgrade(database)
    url = await own_database(server, template=str(_migrated[server.data_dir].database))
    async with Database(url, Settings()) as database:
        await load_sample(database, accounts=20, invoices=invoices)
    return url


async def own_database(server: Server, template: str = "template1") -> URL:
    """Return the URL of a new database of `server`; it ends with the server."""
    url = server.url(f"test_{uuid4().hex[:12]}")
    await execute(server.url(), f"CREATE DATABASE {url.database} TEMPLATE {template}")
    return url


async def kill_server(server: Server) -> StartReport:
    """Kill the postmaster as a crash does, and start it again."""
    pid = server.status().pid
    assert pid is not None
    await asyncio.to_thread(kill, pid)
    return await asyncio.to_thread(server.ensure_running)


async def terminate_backends(url: URL, application: str) -> int:
    """End every connection of `application` from the server's side; return how many there were."""
    async with connected(url) as connection:
        ended = await connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name LIKE $1",
            application,
        )
    return len(ended)


@contextmanager
def small_disk(owner: Path, megabytes: int) -> Iterator[Path]:
    """Yield a folder on a disk of so many megabytes, for the user whom `owner` belongs to."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="invoicing-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"this machine does not let root mount a small disk: {mounted.stderr.strip()}")
    try:
        shutil.chown(folder, owner.owner(), owner.group())
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()


@asynccontextmanager
async def small_tablespace(url: URL, folder: Path) -> AsyncIterator[str]:
    """Yield the name of a tablespace in `folder`; what is in it has to be gone at the end."""
    name = f"small_{uuid4().hex[:8]}"
    await execute(url, f"CREATE TABLESPACE {name} LOCATION '{folder}'")
    try:
        yield name
    finally:
        await execute(url, f"DROP TABLESPACE {name}")


def account_without_rights(url: URL) -> AbstractAsyncContextManager[URL]:
    """Yield the URL of a login that may read and write the invoices, and change no table."""
    grant = "GRANT SELECT, INSERT, UPDATE, DELETE ON invoice, account TO {}"
    return _a_login(url, f"clerk_{uuid4().hex[:8]}", grant)


def an_owner(url: URL, table: str) -> AbstractAsyncContextManager[URL]:
    """Yield the URL of the table's owner, who is no superuser."""
    return _a_login(
        url,
        f"owner_{url.database}",
        f"GRANT CREATE ON DATABASE {url.database} TO {{}}",
        "GRANT CREATE ON SCHEMA public TO {}",
        f"ALTER TABLE {table} OWNER TO {{}}",
    )


@asynccontextmanager
async def _a_login(url: URL, name: str, *grants: str) -> AsyncIterator[URL]:
    await execute(url, f"CREATE ROLE {name} LOGIN", *(grant.format(name) for grant in grants))
    try:
        yield url.set(username=name)
    finally:
        await execute(url, f"REASSIGN OWNED BY {name} TO CURRENT_USER", f"DROP OWNED BY {name}")
        await execute(url, f"DROP ROLE {name}")
