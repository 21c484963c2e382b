"""What a contract drops is confirmed by its name: each time, each of several, in its schema."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

import pytest
from alembic import command
from sqlalchemy.ext.asyncio import create_async_engine

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Rename, Target
from invoicing.toolkit.rename.errors import ConfirmationError, RenamePhaseError
from tests.conftest import execute, fresh_database
from tests.migrations.loans import ROWS, SUM, TABLE, columns, fetch, total, version
from tests.migrations.project import OPTIONS, make_project, psql, write_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy import URL, Connection

QUICK = ("quiet=0", "batch_size=200")
SHOP = '"loan", "fee", "fee_cents", sa.Integer(), schema="shop"'
BOOK = '"loan", "book", "title", sa.Text()'


@pytest.fixture
async def loans(newest_server_url: URL) -> AsyncIterator[URL]:
    """Yield a database of loans on one server: what is confirmed is the same on each."""
    async with fresh_database(newest_server_url) as url:
        await execute(url, *TABLE)
        yield url


async def migrate(config: Config, url: URL, revision: str, *arguments: str) -> None:
    """Upgrade or downgrade as `alembic -x ... -x ...` does."""
    config.attributes.pop("rename", None)
    config.cmd_opts = Namespace(x=[*QUICK, *arguments])

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        back = revision < (config.attributes.get("at") or "001")
        (command.downgrade if back else command.upgrade)(config, revision)
        config.attributes["at"] = revision

    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


@pytest.fixture
async def taken_back(loans: URL, tmp_path: Path) -> Config:
    """Return a project whose contract was run and taken back."""
    config = make_project(tmp_path / "project")
    await migrate(config, loans, "003", "confirm=loan.fee")
    await migrate(config, loans, "002")
    return config


async def test_a_contract_that_was_taken_back_is_confirmed_again(
    loans: URL, taken_back: Config
) -> None:
    config = taken_back
    await execute(loans, "INSERT INTO loan (fee) SELECT 1 FROM generate_series(1, 2000)")
    with pytest.raises(ConfirmationError, match="2,500 rows") as caught:
        await migrate(config, loans, "003")
    assert caught.value.expected == "loan.fee"
    with pytest.raises(ConfirmationError):
        await migrate(config, loans, "003", "confirm=loan.fee_cents")
    assert (await total(loans, "fee"), await version(loans)) == (SUM + 2000, "002")
    # The script and the command do not drop it either; the latter asks for the name of the column.
    ran = psql(loans, write_script_of(config, "002:003"))
    assert "ERROR" in ran.stderr
    async with Database(loans, Settings()) as database:
        with pytest.raises(RenamePhaseError, match="rollback"):
            await Rename(database, Target("loan", "fee", "fee_cents"), OPTIONS).contract()
    assert await total(loans, "fee") == SUM + 2000
    await migrate(config, loans, "003", "confirm=loan.fee")
    assert "fee" not in await columns(loans)
    assert await total(loans, "fee_cents") == SUM + 2000


async def test_an_empty_table_goes_back_and_forth_without_confirmation(
    loans: URL, taken_back: Config
) -> None:
    await execute(loans, "DELETE FROM loan")
    await migrate(taken_back, loans, "003")
    assert "fee" not in await columns(loans)


def write_script_of(config: Config, revisions: str) -> str:
    config.attributes["rename"] = {"options": OPTIONS}
    return write_script(config, revisions, confirm=None)


@pytest.mark.parametrize(
    "confirm",
    [
        ["confirm=loan.fee,loan.book"],
        ["confirm=loan.book", "confirm=loan.fee"],
        ["confirm=public.loan.book, public.loan.fee"],
    ],
)
async def test_several_contracts_are_confirmed_together(
    loans: URL, tmp_path: Path, confirm: list[str]
) -> None:
    config = two_renames(tmp_path)
    await execute(loans, "ALTER TABLE loan ADD book text DEFAULT 'a'")
    await migrate(config, loans, "005", *confirm)
    assert {*await columns(loans)} == {"id", "fee_cents", "title"}


async def test_a_contract_that_is_not_among_the_confirmed_is_refused(
    loans: URL, tmp_path: Path
) -> None:
    config = two_renames(tmp_path)
    await execute(loans, "ALTER TABLE loan ADD book text DEFAULT 'a'")
    with pytest.raises(ConfirmationError) as caught:
        await migrate(config, loans, "005", "confirm=loan.fee,other.book", "confirm=book")
    assert (caught.value.expected, await version(loans)) == ("loan.book", "004")


def two_renames(folder: Path) -> Config:
    return make_project(
        folder / "project",
        ("pass", "pass"),
        ('op.expand_rename("loan", "fee", "fee_cents", sa.Integer())', "pass"),
        ('op.contract_rename("loan", "fee", "fee_cents", sa.Integer())', "pass"),
        (f"op.expand_rename({BOOK})", "pass"),
        (f"op.contract_rename({BOOK})", "pass"),
    )


async def test_a_table_of_a_schema_is_not_confirmed_by_a_name_that_two_have(
    loans: URL, tmp_path: Path
) -> None:
    config = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({SHOP})", f"op.rollback_rename({SHOP})"),
        (f"op.contract_rename({SHOP})", f"op.restore_rename({SHOP})"),
    )
    await execute(loans, "CREATE SCHEMA shop", "CREATE TABLE shop.loan AS SELECT * FROM loan")
    await migrate(config, loans, "002")
    with pytest.raises(ConfirmationError) as caught:
        await migrate(config, loans, "003", "confirm=loan.fee")
    assert caught.value.expected == "shop.loan.fee"
    config.attributes["rename"] = {"options": OPTIONS}
    ran = psql(loans, write_script(config, "002:003", confirm="loan.fee"))
    assert "confirm=shop.loan.fee" in ran.stderr
    assert await fetch(loans, "SELECT count(fee) FROM shop.loan") == ROWS
    ran = psql(loans, write_script(config, "002:003", confirm="shop.loan.fee"))
    assert ran.stderr == ""
    assert await total(loans, "fee") == SUM
    assert "fee" not in await columns(loans, "shop.loan")


async def test_a_table_whose_name_is_its_own_is_confirmed_without_its_schema(
    loans: URL, tmp_path: Path
) -> None:
    config = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({SHOP})", "pass"),
        (f"op.contract_rename({SHOP})", "pass"),
    )
    await execute(loans, "CREATE SCHEMA shop", "ALTER TABLE loan SET SCHEMA shop")
    await migrate(config, loans, "003", "confirm=loan.fee")
    assert "fee" not in await columns(loans, "shop.loan")
