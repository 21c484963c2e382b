"""Tables and columns that are renamed under way by other means, and a journal that is dropped."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Progress, Rename
from invoicing.toolkit.rename.errors import (
    RenameLeftError,
    RenameMovedError,
    RenamePhaseError,
)
from tests.conftest import execute
from tests.rename.bills import CONFIRM, TARGET, renaming, verified, verified_rename
from tests.rename.faults import fetch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

TRIGGERS = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~z_rename%'"
COLUMNS = (
    "SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute"
    " WHERE attrelid = 'bill'::regclass AND attnum > 0 AND NOT attisdropped"
)
# What is done to the table, and what the rename is called then; the last takes it back.
MOVES = {
    "table": ("ALTER TABLE bill RENAME TO bill9", {"table": "bill9"}),
    "schema": ("CREATE SCHEMA s9; ALTER TABLE bill SET SCHEMA s9", {"schema": "s9"}),
    "both": (
        "CREATE SCHEMA s9; ALTER TABLE bill SET SCHEMA s9; ALTER TABLE s9.bill RENAME TO bill9",
        {"table": "bill9", "schema": "s9"},
    ),
    "schema's name": ("ALTER SCHEMA public RENAME TO s9", {"schema": "s9"}),
    "old": ("ALTER TABLE bill RENAME amt TO foo", {"old": "foo"}),
    "new": ("ALTER TABLE bill RENAME amount_cents TO bar", {"new": "bar"}),
    "columns": (
        "ALTER TABLE bill RENAME amt TO foo; ALTER TABLE bill RENAME amount_cents TO amt",
        {"old": "foo", "new": "amt"},
    ),
}
WORKS = {
    "plan": lambda rename: rename.plan(),
    "expand": lambda rename: rename.expand(),
    "backfill": lambda rename: rename.backfill(),
    "verify": lambda rename: rename.verify(),
    "status": lambda rename: rename.status(),
    "gate": lambda rename: rename.gate(),
    "contract": lambda rename: rename.contract(confirm=CONFIRM),
    "rollback": lambda rename: rename.rollback(),
}


@asynccontextmanager
async def called(url: URL, **names: str) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        options = Options(batch_size=100, quiet=0.1, lock_timeout=0.2, lock_attempts=3)
        yield Rename(database, replace(TARGET, **names), options)


async def assert_named(rename: Rename) -> RenameMovedError:
    """Return the error, once every verb has raised the same."""
    said = set()
    for work in WORKS.values():
        with pytest.raises(RenameMovedError) as caught:
            await work(rename)
        said.add(str(caught.value))
    assert len(said) == 1, said
    return caught.value


async def named_after(url: URL, *statements: str) -> RenameMovedError:
    async with verified_rename(url) as rename:
        await execute(url, *statements)
        return await assert_named(rename)


@asynccontextmanager
async def called_both_ways(url: URL, names: dict[str, str]) -> AsyncIterator[tuple[Rename, Rename]]:
    """Yield a verified rename, and the same by the names that it will have."""
    async with verified_rename(url) as rename, called(url, **names) as other:
        yield rename, other


@pytest.mark.parametrize("move", MOVES)
async def test_every_verb_names_what_was_renamed_and_the_statement_that_takes_it_back(
    url: URL, move: str
) -> None:
    statement, names = MOVES[move]
    async with called_both_ways(url, names) as (rename, other):
        await execute(url, *statement.split("; "))
        error = await assert_named(rename)
        again = await assert_named(other)
        assert (again.facts, again.statements) == (error.facts, error.statements)
        assert error.phase is Phase.VERIFIED
        assert "invoicing rename status bill amt amount_cents" in str(error)
        await execute(url, *error.statements[::-1] if move == "columns" else error.statements)
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 7")
        await rename.contract(confirm=CONFIRM)
        assert (await rename.status()).phase is Phase.CONTRACTED
    assert await fetch(url, COLUMNS) == ["id", "note", "amount_cents"]
    assert await fetch(url, "SELECT amount_cents FROM bill WHERE id = 7") == 7


@pytest.mark.parametrize("move", ["table", "old", "new"])
async def test_a_rename_that_moved_is_rolled_back_once_it_is_taken_back(
    url: URL, move: str
) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        await execute(url, MOVES[move][0])
        error = await assert_named(rename)
        await execute(url, *error.statements)
        await rename.rollback()
    assert await fetch(url, COLUMNS) == ["id", "amt", "note"]
    assert await fetch(url, TRIGGERS) == 0


async def test_a_journal_without_numbers_knows_the_columns_by_the_triggers(url: URL) -> None:
    error = await named_after(
        url,
        # As an older version wrote it.
        "UPDATE invoicing_rename.rename SET definition = definition - 'oid' - 'old' - 'new'",
        "ALTER TABLE bill RENAME amt TO foo",
        "ALTER TABLE bill RENAME TO bill9",
    )
    assert len(error.statements) == 2


async def test_the_journal_knows_the_columns_without_the_triggers(url: URL) -> None:
    async with verified_rename(url) as rename:
        drops = await fetch(
            url,
            "SELECT string_agg(format('DROP TRIGGER %I ON bill', tgname), ';') FROM pg_trigger"
            " WHERE tgname LIKE '~z_rename%'",
        )
        await execute(url, *drops.split(";"), "ALTER TABLE bill RENAME amt TO foo")
        await assert_named(rename)


async def test_another_table_of_the_name_is_not_taken_for_it(url: URL) -> None:
    made = "CREATE TABLE bill (LIKE bill_before INCLUDING ALL)"
    error = await named_after(url, "ALTER TABLE bill RENAME TO bill_before", made)
    assert "another relation" in str(error)


async def test_a_way_back_that_moved_is_named_too(url: URL) -> None:
    async with verified_rename(url) as rename:
        await rename.contract(confirm=CONFIRM)
        await rename.restore()
        await execute(url, "ALTER TABLE bill RENAME TO bill9")
        await assert_named(rename)
        await assert_named(rename.reversed())
        async with called(url, table="bill9") as other:
            await assert_named(other)


async def test_a_table_that_is_renamed_after_the_contract_is_done(url: URL) -> None:
    async with renaming(url) as rename, called(url, table="bill9") as other:
        await verified(rename)
        await rename.contract(confirm=CONFIRM)
        await execute(url, "ALTER TABLE bill RENAME TO bill9")
        assert (await other.status()).phase is Phase.CONTRACTED


async def test_a_table_behind_a_view_is_known_by_its_oid(url: URL) -> None:
    async with verified_rename(url, strategy="view") as rename:
        await execute(url, "ALTER TABLE bill_base RENAME TO elsewhere")
        error = await assert_named(rename)
        await execute(url, *error.statements)
        await rename.rollback()
    assert await fetch(url, COLUMNS) == ["id", "amt", "note"]


async def test_a_rename_without_its_journal_is_named_and_rolled_back(url: URL) -> None:
    async with verified_rename(url) as rename:
        await execute(url, "DROP SCHEMA invoicing_rename CASCADE")
        (note,) = (await rename.status()).notes
        assert "invoicing rename rollback bill amt amount_cents" in note
        with pytest.raises(RenameLeftError):
            await rename.expand()
        assert "invoicing rename rollback" in (await rename.plan()).refusals[0].message
        await rename.rollback()
        assert (await rename.status()).notes == []
    assert await fetch(url, COLUMNS) == ["id", "amt", "note"]
    default = "SELECT count(*) FROM pg_attrdef WHERE adrelid = 'bill'::regclass"
    assert await fetch(url, default) == 0


@pytest.mark.parametrize("move", ["table", "old"])
async def test_a_rename_without_its_journal_that_moved_is_removed_by_statements(
    url: URL, move: str
) -> None:
    statement, names = MOVES[move]
    async with called_both_ways(url, names) as (_, other):
        await execute(url, "DROP SCHEMA invoicing_rename CASCADE", statement)
        for verb in ("status", "contract", "rollback", "expand"):
            with pytest.raises(RenameLeftError) as caught:
                await WORKS[verb](other)
        text = str(caught.value).partition("run: ")[2]
        first = [part.strip() for part in text.split(";")][:2]
        assert "DROP COLUMN" in text
        await execute(url, *first)
        with pytest.raises(RenamePhaseError):
            await other.verify()


async def test_a_foreign_schema_is_named_with_its_owner(url: URL) -> None:
    await execute(
        url, "CREATE SCHEMA invoicing_rename", "CREATE TABLE invoicing_rename.run (x int)"
    )
    async with renaming(url) as rename:
        for verb in ("plan", "status", "expand", "rollback"):
            with pytest.raises(UsageError, match=r"ALTER SCHEMA .*RENAME TO"):
                await WORKS[verb](rename)


async def test_the_rows_of_a_rewritten_table_are_counted_again(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        await rename.backfill()
        for _ in range(2):
            await execute(url, "VACUUM FULL bill")
            seen: list[Progress] = []
            await rename.backfill(progress=seen.append)
            assert {at.rows_total for at in seen} == {1_000}
            assert max(at.rows_done for at in seen) == 1_000
            status = await rename.status()
            assert (status.rows_done, status.rows_total) == (1_000, 1_000)
