"""Where a rename is rehearsed: databases made for it, with the schema of the real one, and dropped.

They are on a server of the same major version that runs for rehearsals alone, so that the real one
has no work of it; or beside the real database, where extensions are that no other server has.
"""

from __future__ import annotations

import re
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg

from invoicing.db.url import beside, libpq_url
from invoicing.errors import InvoicingError, UsageError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import (
    Outcome,
    Server,
    find_installation,
    find_installations,
    home_folder,
)
from invoicing.toolkit.postgres.beside import shared
from invoicing.toolkit.rename.names import literal, quote
from invoicing.toolkit.rename.rehearsal.dump import ProgramFailedError, dump_text, run_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.connection.pool import Connection

_PREFIX = "invoicing_rehearsal_"
# What is thrown away needs to survive nothing.
_UNSAFE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_OPTIONS = (
    "--exclude-schema=invoicing_rename",
    "--no-tablespaces",
    "--no-subscriptions",
    "--no-security-labels",
)
_ROLES = "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY rolname"
_SETTINGS = """
SELECT unnest(setconfig) FROM pg_db_role_setting
WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_ERROR = re.compile(r"^psql:\S*:(\d+): ERROR:\s+(.*)$", re.MULTILINE)
# Of a pg_dump that is newer than the server, and of what every database has.
_HARMLESS = re.compile(r'unrecognized configuration parameter|schema "public" already exists')


class NoDumpProgramError(InvoicingError):
    """There is no pg_dump that the server's schema could be read with."""

    def __init__(self, major: int) -> None:
        self.major = major
        super().__init__(
            f"cannot rehearse: there is no pg_dump of PostgreSQL {major} or newer beside the "
            "embedded server or on PATH. Nothing was changed. Install PostgreSQL's client "
            f"programs (postgresql-client-{major}), then run the same command again"
        )


class RehearsalInterruptedError(InvoicingError):
    """A connection was lost: to the real database, which is only read, or to the scratch one.

    Attributes:
        reason: what was said of it.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target, self.reason = target, reason
        super().__init__(
            f"the rehearsal of {target} was interrupted: {reason.rstrip('.')}. The real database "
            "was only read. Run the same command again; it begins anew"
        )


@dataclass
class Scratch:
    """A server to rehearse on.

    Attributes:
        server: a superuser's URL, or that of an account that may create databases.
        dumps: each pg_dump that may read the real database; beside the first is the psql.
        made: databases of this rehearsal.
    """

    server: URL
    dumps: list[Path]
    where: str
    made: list[str] = field(default_factory=list)

    @property
    def bin_dir(self) -> Path:
        """Return where the client programs are."""
        return self.dumps[0].parent

    async def create(self, template: str | None = None) -> URL:
        """Create a database; of a template no session may be connected to it."""
        name = f"{_PREFIX}{uuid4().hex[:10]}"
        source = quote(template) if template else "template0"
        try:
            async with connected(self.server) as connection:
                await connection.execute(f"CREATE DATABASE {name} TEMPLATE {source}")
        except asyncpg.InsufficientPrivilegeError:
            message = (
                f"cannot rehearse on that server: {self.server.username} may not create databases. "
                f"Nothing was changed. Run, as a superuser: ALTER ROLE {self.server.username} "
                "CREATEDB; or leave out --on-server"
            )
            raise UsageError(message) from None
        self.made.append(name)
        return beside(self.server, name)

    async def drop_all(self) -> None:
        """Drop what was created."""
        async with connected(self.server) as connection:
            for name in self.made:
                await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def connected(url: URL) -> AsyncIterator[Connection]:
    """Yield a connection of its own, closed whatever happens."""
    connection = await asyncpg.connect(libpq_url(url, password=True))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def scratch(source: URL, major: int, *, on_server: bool) -> AsyncIterator[Scratch]:
    """Yield a server to rehearse on; what was made there is dropped at the end.

    Args:
        source: the real database.
        major: its server's major version.
        on_server: whether to rehearse beside it.

    Raises:
        InstallationNotFoundError: there is no embedded server of that version.
        NoDumpProgramError: there is no pg_dump.
    """
    dumps = find_dumps(major)
    if on_server:
        place = Scratch(beside(source, "postgres"), dumps, "the real server")
        try:
            yield place
        finally:
            await place.drop_all()
        return
    home = home_folder(Settings.read()) / "rehearsal"
    server = Server(
        home / f"postgres-{major}", find_installation(major), settings=_UNSAFE, of_home=True
    )
    found = server.ensure_running()
    with shared(home / f".postgres-{major}.used") as alone:
        again = server.ensure_running()  # the last of the others may have stopped it meanwhile
        if {found.outcome, again.outcome} != {Outcome.FOUND}:
            await _drop_leftovers(server.url())
        place = Scratch(server.url(), dumps, f"a server of its own, PostgreSQL {major}")
        try:
            yield place
        finally:
            await place.drop_all()
            if alone():
                server.stop()


def find_dumps(major: int) -> list[Path]:
    """Return each pg_dump that may read a server of this version; the same version's first.

    PATH's comes last, and may be needed: the embedded one speaks no TLS.

    Raises:
        NoDumpProgramError: there is none.
    """
    able = [
        (installation.major, Path(installation.program("pg_dump")))
        for installation in find_installations()
        if installation.major >= major and Path(installation.program("pg_dump")).is_file()
    ]
    found = [path for _, path in sorted(able)]
    on_path = shutil.which("pg_dump")
    found += [Path(on_path)] if on_path is not None else []
    if not found:
        raise NoDumpProgramError(major)
    return found


async def copy_schema(source: URL, place: Scratch) -> tuple[URL, list[str]]:
    """Make a database with the schema of the real one; return it, and what could not be restored.

    Raises:
        ProgramFailedError: the schema cannot be read.
    """
    script = await _read_schema(source, place)
    target = await place.create()
    failed = await _make_alike(source, target)
    ran = await run_program(
        str(place.bin_dir / "psql"), target, "--no-psqlrc", "--quiet", "--file=-", text=script
    )
    lines = script.splitlines()
    return target, failed + [
        f"{message}: {lines[int(number) - 1].strip()}"
        for number, message in _ERROR.findall(ran.errors)
        if not _HARMLESS.search(message)
    ]


async def _read_schema(source: URL, place: Scratch) -> str:
    failures = []
    for program in place.dumps:
        try:
            return await dump_text(source, str(program), *_OPTIONS)
        except ProgramFailedError as error:
            failures.append(error)
    raise failures[0]


async def _make_alike(source: URL, target: URL) -> list[str]:
    """Make the roles that the schema names, and set what the real database sets."""
    failed = []
    async with connected(source) as real, connected(target) as copy:
        there = {row[0] for row in await copy.fetch(_ROLES)}
        statements = [
            f"CREATE ROLE {quote(row[0])}"
            for row in await real.fetch(_ROLES)
            if row[0] not in there
        ]
        for row in await real.fetch(_SETTINGS):
            name, _, value = row[0].partition("=")
            # A list is kept as it is written in SQL.
            text = value if name == "search_path" else literal(value)
            statements.append(f"ALTER DATABASE {target.database} SET {quote(name)} = {text}")
        for statement in statements:
            try:
                await copy.execute(statement)
            except asyncpg.DuplicateObjectError:
                continue  # another rehearsal was quicker
            except asyncpg.PostgresError as error:
                failed.append(f"{error}: {statement}")
    return failed


async def _leftovers(server: URL) -> list[str]:
    async with connected(server) as connection:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", _PREFIX
        )
    return [row[0] for row in rows]


async def _drop_leftovers(server: URL) -> None:
    """Drop what a rehearsal that was killed has left on a server that had not been running."""
    place = Scratch(server, [], "", await _leftovers(server))
    await place.drop_all()
