"""A notebook's way to its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.errors import DatabaseUnavailableError, SchemaMissingError
from invoicing.notebook import open_database
from invoicing.services import count_accounts

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def test_a_notebook_opens_the_database_that_the_environment_names(
    migrated_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = migrated_database_url.set(drivername="postgresql")
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    async with await open_database() as database, database.read_only() as session:
        assert await count_accounts(session) == 0


async def test_an_empty_database_is_told_apart_before_the_first_query(
    empty_database_url: URL,
) -> None:
    with pytest.raises(SchemaMissingError, match="Run: invoicing db upgrade"):
        await open_database(empty_database_url)


async def test_a_database_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(DatabaseUnavailableError, match="invoicing db status"):
        await open_database("postgresql://nobody@127.0.0.1:1/nothing")
