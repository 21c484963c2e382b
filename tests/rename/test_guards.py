"""What other hands take off the table while a rename is under way is said by the next command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename.facts import next_command
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, renaming, verified, verified_rename

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

TAKEN_OFF = {
    "disabled": "ALTER TABLE bill DISABLE TRIGGER USER",
    "enabled again, but not always": "ALTER TABLE bill DISABLE TRIGGER ALL;"
    " ALTER TABLE bill ENABLE TRIGGER ALL",
    "default changed": "ALTER TABLE bill ALTER amt SET DEFAULT 7",
    "default dropped": "ALTER TABLE bill ALTER amount_cents DROP DEFAULT",
}


@pytest.mark.parametrize("statement", TAKEN_OFF.values(), ids=TAKEN_OFF.keys())
async def test_what_no_longer_keeps_the_columns_equal_is_named_until_it_is_put_back(
    empty_database_url: URL, statement: str
) -> None:
    await make_bills(empty_database_url, 300)
    async with renaming(empty_database_url) as rename:
        await verified(rename)
        assert (await rename.status()).notes == []
        await execute(empty_database_url, *statement.split(";"))
        status = await rename.status()
        notes, run = status.notes, rename.target.command("expand")
        assert notes
        assert all(run in note for note in notes)
        assert run in next_command(status.phase, rename.target, rename.options, notes)
        if "TRIGGER" in statement:
            report = await rename.verify()
            assert not report.ok
            assert report.notes
        await rename.expand()
        await verified(rename)
        assert (await rename.status()).notes == []


async def test_an_old_column_that_was_dropped_by_hand_leaves_no_trigger_unsaid(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 300)
    async with verified_rename(empty_database_url) as rename:
        await execute(empty_database_url, "ALTER TABLE bill DROP COLUMN amt CASCADE")
        notes = (await rename.status()).notes
        assert notes
        assert all(rename.target.command("contract") in note for note in notes)
        await rename.contract(confirm=CONFIRM)
        assert (await rename.status()).notes == []
    await execute(empty_database_url, "INSERT INTO bill (id, amount_cents) VALUES (999, 1)")


async def test_row_security_enabled_behind_the_view_is_said(empty_database_url: URL) -> None:
    await make_bills(empty_database_url, 300)
    async with renaming(empty_database_url, strategy="view") as rename:
        await rename.expand()
        assert (await rename.status()).notes == []
        await execute(empty_database_url, "ALTER TABLE bill_base ENABLE ROW LEVEL SECURITY")
        (note,) = (await rename.status()).notes
        assert "security_invoker" in note
        await rename.backfill()
        await rename.verify()
        assert "row-security" in {finding.slug for finding in (await rename.gate()).unseen}
        for value in ("true", "on", "1"):
            await execute(empty_database_url, f"ALTER VIEW bill SET (security_invoker = {value})")
            assert (await rename.status()).notes == [], value
