"""What other hands do to a view that stands in the table's place: each case with its way back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from invoicing.errors import UsageError
from invoicing.toolkit.rename import Phase, Rename
from invoicing.toolkit.rename.errors import RenameLeftError, RenameMovedError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, renaming, verified
from tests.rename.test_moved import COLUMNS, WORKS, assert_named, called, fetch
from tests.rename.whole import RICH, contracted, everything

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

VIEW = {"strategy": "view", "quiet": 0.1}
DROP = "DROP SCHEMA invoicing_rename CASCADE"
BACK = "invoicing rename rollback bill amt amount_cents"
# What is done, and how many statements take it back.
MOVES = {
    "view": ("ALTER VIEW bill RENAME TO bill9", 1),
    "view's schema": ("CREATE SCHEMA s9; ALTER TABLE bill SET SCHEMA s9", 1),
    "both of the view": (
        "CREATE SCHEMA s9; ALTER TABLE bill SET SCHEMA s9; ALTER TABLE s9.bill RENAME TO bill9",
        2,
    ),
    "column behind": ("ALTER TABLE bill_base RENAME amount_cents TO f3", 1),
    "column back": ("ALTER TABLE bill_base RENAME amount_cents TO amt", 1),
    "old column": ("ALTER TABLE bill RENAME amt TO f9", 1),
    "new column": ("ALTER VIEW bill RENAME COLUMN amount_cents TO f9", 1),
    "schema of both": ("ALTER SCHEMA public RENAME TO s9", 1),
    "table and view": (
        "ALTER VIEW bill RENAME TO bill9; ALTER TABLE bill_base RENAME TO bill",
        2,
    ),
    "other relation": ("DROP VIEW bill; CREATE TABLE bill (id int)", 1),
}


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    return await make_bills(empty_database_url, 100)


@pytest.mark.parametrize("move", MOVES)
async def test_every_verb_names_what_was_moved_and_what_takes_it_back(url: URL, move: str) -> None:
    statement, count = MOVES[move]
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, *statement.split("; "))
        error = await assert_named(rename)
        assert len(error.statements) == count
        await execute(url, *error.statements)
        await verified(rename)
        await execute(url, "UPDATE bill SET amt = 7 WHERE id = 7")
        assert (await rename.status()).notes == []
        await rename.rollback()
    assert await fetch(url, COLUMNS) == ["id", "amt", "note"]
    assert await fetch(url, "SELECT amt FROM bill WHERE id = 7") == 7


async def test_a_renamed_view_is_known_by_the_name_that_it_has(url: URL) -> None:
    async with renaming(url, **VIEW) as rename, called(url, table="bill9") as other:
        await verified(rename)
        await execute(url, "ALTER VIEW bill RENAME TO bill9")
        with pytest.raises(RenameMovedError, match=r'ALTER VIEW .*"bill9" RENAME TO "bill"'):
            await other.status()


async def test_a_view_without_its_journal_is_named_and_rolled_back(url: URL) -> None:
    await execute(url, RICH)
    before = await everything(url)
    async with renaming(url, **VIEW) as rename, called(url, old="id") as other:
        await verified(rename)
        await execute(url, DROP)
        await execute(url, "UPDATE bill SET amt = 70 WHERE id = 7")
        status = await rename.status()
        assert (status.strategy, status.phase, status.left) == ("view", Phase.NONE, True)
        assert BACK in status.notes[0]
        assert BACK in (await rename.plan()).refusals[0].message
        for verb in ("expand", "backfill", "verify", "gate", "contract"):
            with pytest.raises(RenameLeftError, match=BACK):
                await WORKS[verb](rename)
        for ask in (*WORKS.values(), lambda another: another.reversed().rollback()):
            with pytest.raises(RenameLeftError, match=BACK):
                await ask(other)
        await rename.rollback()
        assert (await rename.status()).notes == []
        assert await everything(url) == before
        await verified(rename)
        await contracted(rename)


async def test_what_was_done_to_a_view_without_its_journal_is_kept(url: URL) -> None:
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(
            url,
            "ALTER TABLE bill_base ADD added int DEFAULT 3",
            "COMMENT ON COLUMN bill_base.added IS 'why'",
            "COMMENT ON VIEW bill IS 'owed'",
            "GRANT SELECT ON bill TO PUBLIC",
            DROP,
        )
        await rename.rollback()
    assert await fetch(url, COLUMNS) == ["id", "amt", "note", "added"]
    comments = "SELECT obj_description('bill'::regclass, 'pg_class') || col_description(%s, 4)"
    assert await fetch(url, comments % "'bill'::regclass") == "owedwhy"
    assert await fetch(url, "INSERT INTO bill VALUES (999, 1) RETURNING added") == 3
    assert "=r/" in await fetch(url, "SELECT relacl::text FROM pg_class WHERE relname = 'bill'")


async def test_a_view_of_ones_own_over_such_a_table_is_not_taken_for_a_renames(url: URL) -> None:
    await execute(
        url,
        "ALTER TABLE bill RENAME TO bill_base",
        "CREATE VIEW bill AS SELECT id, amt AS amount, amt, note FROM bill_base WHERE id > 0",
    )
    async with called(url, old="amount", new="amt") as rename:
        assert (await rename.status()).notes == []
        await rename.rollback()
    assert await fetch(url, "SELECT relkind::text FROM pg_class WHERE relname = 'bill'") == "v"


async def test_a_dropped_view_is_named_everywhere_and_the_rollback_gives_the_table_its_name(
    url: URL,
) -> None:
    await execute(url, RICH)
    before = await everything(url)
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, "DROP VIEW bill")
        said = [
            *(await rename.status()).notes,
            *(await rename.verify()).notes,
            *(str(finding) for finding in (await rename.plan()).refusals),
            *map(str, (await rename.gate()).objections),
        ]
        assert len(said) == 4
        for text in said:
            assert BACK in text
            assert "invoicing rename expand bill amt amount_cents" in text
        await rename.rollback()
    assert await everything(url) == before


REPLACED = {
    "condition": "CREATE OR REPLACE VIEW bill AS SELECT id, amount_cents AS amt, note,"
    " amount_cents FROM bill_base WHERE id > 7",
    "column": "CREATE OR REPLACE VIEW bill AS SELECT id, amount_cents AS amt, note,"
    " amount_cents, 1 AS more FROM bill_base",
    "constant": "CREATE OR REPLACE VIEW bill AS SELECT id, 7::bigint AS amt, note,"
    " amount_cents FROM bill_base",
}


@pytest.mark.parametrize("how", REPLACED)
async def test_a_view_that_other_hands_replaced_is_named_and_made_again(url: URL, how: str) -> None:
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, "GRANT SELECT ON bill TO PUBLIC", REPLACED[how])
        (note,) = (await rename.status()).notes
        assert "invoicing rename expand" in note
        (objection,) = (await rename.gate()).objections
        assert objection.slug == "view-changed"
        await verified(rename)
        assert (await rename.status()).notes == []
        await execute(url, "UPDATE bill SET amt = 8 WHERE id = 1")
        await contracted(rename)
    assert await fetch(url, "SELECT amount_cents FROM bill WHERE id = 1") == 8


@pytest.mark.parametrize("relation", ["bill", "bill_base"])
async def test_another_column_that_has_two_names_closes_the_gate(url: URL, relation: str) -> None:
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, f"ALTER TABLE {relation} RENAME note TO text")
        (note,) = (await rename.status()).notes
        (objection,) = (await rename.gate()).objections
        assert note == str(objection)
        first, _, second = objection.message.partition("Run: ")[2].partition(" or ")
        await execute(url, first if relation == "bill" else second)
        await contracted(rename)
    assert await fetch(url, COLUMNS) == ["id", "amount_cents", "text"]


@pytest.mark.parametrize("relation", ["bill", "bill_base"])
@pytest.mark.parametrize("journal", [True, False])
async def test_what_is_on_such_a_column_stays_through_the_rollback(
    url: URL, relation: str, journal: bool
) -> None:
    note = [
        "ALTER TABLE bill ALTER note SET DEFAULT 'none'",
        "GRANT SELECT (note) ON bill TO PUBLIC",
    ]
    await execute(url, *note, "COMMENT ON COLUMN bill.note IS 'why'")
    before = await everything(url)
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, f"ALTER TABLE {relation} RENAME note TO text")
        await execute(url, *([] if journal else [DROP]))
        await rename.rollback()
    if relation == "bill_base":
        await execute(url, "ALTER TABLE bill RENAME text TO note")
    assert await everything(url) == before


async def test_a_column_that_was_added_to_the_view_alone_goes_with_it(url: URL) -> None:
    before = await everything(url)
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        comment = "COMMENT ON COLUMN bill.more IS 'why'"
        await execute(url, REPLACED["column"], comment, "GRANT SELECT (more) ON bill TO PUBLIC")
        await rename.rollback()
    assert await everything(url) == before


async def test_the_table_has_its_name_back_after_its_column_was_dropped(url: URL) -> None:
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(url, "ALTER TABLE bill_base DROP COLUMN amount_cents CASCADE")
        (note,) = (await rename.status()).notes
        assert BACK in note
        with pytest.raises(UsageError, match="invoicing rename status"):
            await rename.gate()
        await rename.rollback()
    assert await fetch(url, COLUMNS) == ["id", "note"]


async def test_a_column_that_is_renamed_before_the_swap_is_no_view_of_it(url: URL) -> None:
    async with renaming(url, **VIEW) as rename:
        await rename.expand()
        await execute(
            url,
            "DROP VIEW bill",
            "ALTER TABLE bill_base RENAME amount_cents TO amt",
            "ALTER TABLE bill_base RENAME TO bill",
            "UPDATE invoicing_rename.rename SET phase = 'expanding'",
            "ALTER TABLE bill RENAME TO bill9",
        )
        error = await assert_named(rename)
        assert error.statements == ['ALTER TABLE "public"."bill9" RENAME TO "bill";']
        await execute(url, *error.statements)
        await verified(rename)
        await rename.contract(confirm=CONFIRM)
    assert await fetch(url, COLUMNS) == ["id", "amount_cents", "note"]


async def test_a_journal_that_was_restored_elsewhere_has_numbers_of_another_database(
    url: URL,
) -> None:
    async with renaming(url, **VIEW) as rename:
        await verified(rename)
        await execute(
            url,
            "UPDATE invoicing_rename.rename SET definition = definition"
            """ || '{"oid": 1, "view": 2, "new": 3}'""",
        )
        assert (await rename.status()).notes == []
        await execute(url, "ALTER TABLE bill_base RENAME TO elsewhere")
        await execute(url, *(await assert_named(rename)).statements)
        await contracted(rename)
    assert await fetch(url, COLUMNS) == ["id", "amount_cents", "note"]


async def test_names_that_need_quotes_are_read_back_without_a_journal(url: URL) -> None:
    table, old, new = 'Bill, of "x"', "A mt AS y", 'c",\n "d'
    await execute(
        url,
        'CREATE TABLE "Bill, of ""x""" (id int, "A mt AS y" int, "order" int)',
        'INSERT INTO "Bill, of ""x""" VALUES (1, 2, 3)',
    )
    async with called(url, table=table, old=old, new=new) as rename:
        view = Rename(rename.database, rename.target, replace(rename.options, strategy="view"))
        await verified(view)
        await execute(url, DROP)
        assert (await view.status()).left
        await view.rollback()
    read = 'SELECT "A mt AS y" FROM "Bill, of ""x"""'
    assert await fetch(url, read) == 2
