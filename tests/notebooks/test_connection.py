"""A notebook's way to its database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from invoicing.errors import DatabaseUnavailableError, SchemaMissingError
from invoicing.notebook import open_database
from invoicing.services import count_accounts
from tests.conftest import newest_server_url
from tests.notebooks.kernels import running_kernel

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

server_url = newest_server_url


async def test_a_notebook_opens_the_database_that_the_environment_names(
    migrated_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = migrated_database_url.set(drivername="postgresql")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    async with await open_database() as database, database.read_only() as session:
        assert await count_accounts(session) == 0


async def test_an_empty_database_is_recognised_before_the_first_query(
    empty_database_url: URL,
) -> None:
    with pytest.raises(SchemaMissingError, match="Run: invoicing db upgrade"):
        await open_database(empty_database_url)


async def test_a_database_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DatabaseUnavailableError, match="invoicing db status"):
        await open_database("postgresql://reader@127.0.0.1:1/nothing")


OPEN = """
from sqlalchemy import text
from invoicing import services
from invoicing.notebook import open_database
database = await open_database()
"""
QUERY = """
async with database.read_only() as session:
    print(await session.scalar(text({!r})))
"""


def test_a_cell_says_in_one_sentence_what_went_wrong(migrated_database_url: URL) -> None:
    url = migrated_database_url.render_as_string(hide_password=False)
    with running_kernel(os.environ | {"DATABASE_URL": url}) as kernel:
        assert kernel.run(OPEN)[1] == ""
        # Our own, the server's refusal, and a connection that is lost in the middle.
        find = "async with database.read_only() as s: await services.find_account(s, 'nowhere')"
        assert kernel.run(find)[1] == "NoSuchAccountNameError"
        assert len(kernel.traceback.splitlines()) == 1
        assert kernel.run(QUERY.format("SELECT 1 / 0"))[1] == "StatementFailedError"
        assert kernel.traceback == (
            "StatementFailedError: the database refused: division by zero (SQLSTATE 22012). "
            "Nothing of the transaction was kept"
        )
        end = "SELECT pg_terminate_backend(pg_backend_pid())"
        assert kernel.run(QUERY.format(end))[1] == "ConnectionLostError"
        assert kernel.traceback.startswith(
            "ConnectionLostError: the connection to the database was lost: "
        )
        assert len(kernel.traceback.splitlines()) == 1
        assert kernel.run(QUERY.format("SELECT 7"))[:2] == ("7", "")
