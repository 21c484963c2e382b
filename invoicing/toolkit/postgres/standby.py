"""A second server that follows the first: a hot standby, made by pg_basebackup.

It answers reads and shows what replicas show: how far behind they are. Its only link to the first
server is the WAL; either can be stopped, killed and started by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.postgres import data_folder
from invoicing.toolkit.postgres.owner import server_owner
from invoicing.toolkit.postgres.place import reachable
from invoicing.toolkit.postgres.server import Server

if TYPE_CHECKING:
    from pathlib import Path


def make_standby(primary: Server, data_dir: Path) -> Server:
    """Return the hot standby of the running `primary` on `data_dir`, copied now if it is not there.

    It is not started: `ensure_running()` does that, at once and after a crash.

    Raises:
        ServerNotRunningError: `primary` does not run.
        DiskFullError: the disk has no room for the copy.
        InitdbError: the copy failed; `primary` may have no free WAL sender.
    """
    if not data_dir.exists():
        url = primary.url()
        host, port = str(url.query["host"]), url.query.get("port", primary.port)
        # libpq reads the value between quotes, in which it knows two special characters.
        quoted = host.replace("\\", "\\\\").replace("'", "\\'")
        source = f"host='{quoted}' port={port} user={url.username} application_name=standby"
        data_folder.make_parent(data_dir)
        owner = server_owner(primary.folder)
        data_folder.copy_running(data_dir, reachable(primary.installation, owner), owner, source)
    return Server(
        data_dir,
        primary.installation,
        primary.settings,
        database=primary.database,
        port=primary.port,
        start_timeout=primary.start_timeout,
    )
