"""The plan knows how much room the rename needs, and asks the disk where it can."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target
from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.faults import own_sample, small_disk, small_tablespace

if TYPE_CHECKING:
    from invoicing.toolkit.postgres import Server
    from invoicing.toolkit.rename import PlanFinding

TARGET = Target("invoice", "amt", "amount_cents")


async def room(rename: Rename) -> PlanFinding:
    (found,) = [
        finding for finding in (await rename.plan()).findings if finding.slug == "disk-space"
    ]
    return found


async def test_a_disk_without_room_is_refused_before_anything_changes(own_server: Server) -> None:
    url = await own_sample(own_server, 5_000)
    await execute(url, "ALTER TABLE invoice RENAME amount_cents TO amt")
    with small_disk(own_server.data_dir, megabytes=6) as folder:
        async with (
            small_tablespace(url, folder) as tablespace,
            Database(url, Settings()) as database,
        ):
            rename = Rename(database, TARGET)
            assert (await room(rename)).verdict == "noted"
            await execute(url, f"ALTER TABLE invoice SET TABLESPACE {tablespace}")
            something = folder / "something else"
            something.write_bytes(bytes(shutil.disk_usage(folder).free - 100_000))
            refused = await room(rename)
            assert refused.verdict == "refused"
            assert "are free" in refused.message
            with pytest.raises(RenameRefusedError, match="Make room"):
                await rename.expand()
            accepting = Rename(database, TARGET, Options(accept=frozenset({"disk-space"})))
            assert (await room(accepting)).verdict == "noted"
            something.unlink()
            await execute(url, "ALTER TABLE invoice SET TABLESPACE pg_default")


async def test_an_account_that_may_not_ask_learns_the_need(own_server: Server) -> None:
    url = await own_sample(own_server, 10)
    await execute(
        url,
        "ALTER TABLE invoice RENAME amount_cents TO amt",
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk LOGIN",
    )
    async with Database(url.set(username="clerk"), Settings()) as database:
        found = await room(Rename(database, TARGET))
    assert "look, before you begin" in found.message
