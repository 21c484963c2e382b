"""Room on the disk, as far as it can be known: a server does not say how much it has.

On a Unix socket the server's files are on this machine's own disks, so that the file system can be
asked. Elsewhere the plan says how much will be needed, and leaves the rest to a person.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import asyncpg

from invoicing.toolkit.rename.model import PlanFinding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from invoicing.toolkit.rename.context import RenameContext
    from invoicing.toolkit.rename.model import Estimate
    from invoicing.toolkit.rename.preflight.checks import Sizes

# WAL of an update is about as big as its row and its index entries; checkpoints recycle it.
_WAL_PER_BYTE = 3
_FOLDERS = """
SELECT DISTINCT coalesce(nullif(pg_tablespace_location(CASE WHEN c.reltablespace = 0
    THEN d.dattablespace ELSE c.reltablespace END), ''), current_setting('data_directory'))
FROM pg_class AS c, pg_database AS d WHERE d.datname = current_database()
    AND inet_server_addr() IS NULL AND c.relkind = 'r' AND c.oid IN (SELECT $1::oid UNION
        SELECT relid FROM pg_partition_tree($1::oid::regclass))
"""
_WAL = "SELECT pg_size_bytes(current_setting('max_wal_size'))"


async def disk_space(context: RenameContext, sizes: Sizes, estimate: Estimate) -> PlanFinding:
    """Return what is needed, and what there is; a refusal where that is less.

    Room for WAL is counted too: it is on the same disk more often than not.
    """
    wal = min(await context.connection.fetchval(_WAL), _WAL_PER_BYTE * (sizes.heap + sizes.indexes))
    needed = estimate.extra_bytes + wal
    message = (
        f"about {_shown(estimate.extra_bytes)} more for the table and its indexes, and up to "
        f"{_shown(wal)} of WAL until the next checkpoint"
    )
    free = await _free(await _folders(context))
    if free is None:
        said = f"{message}. The free space of this server is unknown: look, before you begin"
        return PlanFinding("disk-space", _shown(needed), "noted", said)
    if free >= needed:
        return PlanFinding(
            "disk-space", _shown(needed), "noted", f"{message}; {_shown(free)} are free"
        )
    said = f"{message}; only {_shown(free)} are free. Make room first, or: --accept disk-space"
    return PlanFinding("disk-space", _shown(needed), "refused", said)


async def _folders(context: RenameContext) -> list[str]:
    try:
        rows = await context.connection.fetch(_FOLDERS, context.table.oid)
    except asyncpg.InsufficientPrivilegeError:
        return []  # data_directory is for superusers and pg_read_all_settings
    return [row[0] for row in rows]


async def _free(folders: Iterable[str]) -> int | None:
    """Return the bytes that are free on the fullest of the disks; None when none can be asked."""

    def least() -> int | None:
        found = []
        for folder in folders:
            try:
                disk = os.statvfs(folder)
            except (AttributeError, OSError):  # Windows has none; a container's folder is not ours
                continue
            found.append(disk.f_bavail * disk.f_frsize)
        return min(found, default=None)

    return await asyncio.to_thread(least)


def _shown(size: int) -> str:
    megabytes, gigabytes = size / 1024**2, size / 1024**3
    return f"{gigabytes:,.1f} GB" if gigabytes >= 1 else f"{megabytes:,.0f} MB"
