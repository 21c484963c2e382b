"""A backfill says that it is done when every row is filled, and never before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename.errors import RowsDifferError
from tests.conftest import execute
from tests.rename.bills import make_bills, renaming, verified, verified_rename

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

FROZEN = (
    """CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF OLD.id % 3 = 0 THEN RETURN NULL; END IF; RETURN NEW; END $$""",
    "CREATE TRIGGER frozen BEFORE UPDATE ON bill FOR EACH ROW EXECUTE FUNCTION keeps()",
    # As it is for an owner who may not silence triggers.
    "ALTER TABLE bill ENABLE ALWAYS TRIGGER frozen",
)


async def test_rows_that_a_trigger_keeps_as_they_are_end_the_backfill_with_its_name(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 300)
    await execute(empty_database_url, *FROZEN)
    async with renaming(empty_database_url, accept=frozenset({"update-trigger"})) as rename:
        await rename.expand()
        with pytest.raises(RowsDifferError, match=r"frozen ON public\.bill") as caught:
            await rename.backfill()
        assert (caught.value.rows, caught.value.missing) == (300, 100)
        assert rename.target.command("rollback") in str(caught.value)
        status = await rename.status()
        assert status.rows_done < status.rows_total
        assert status.phase == "backfilling"
        await execute(empty_database_url, "ALTER TABLE bill DISABLE TRIGGER frozen")
        assert (await rename.backfill()).rows_updated == 100
        assert (await rename.verify()).ok


async def test_rows_in_which_a_trigger_puts_the_old_values_back_are_filled(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 300)
    function, *trigger = FROZEN
    await execute(empty_database_url, function.replace("RETURN NULL", "RETURN OLD"), *trigger)
    async with renaming(empty_database_url, accept=frozenset({"update-trigger"})) as rename:
        await verified(rename)


async def test_pages_that_came_while_the_triggers_were_off_are_filled_too(
    empty_database_url: URL,
) -> None:
    await make_bills(empty_database_url, 300)
    async with verified_rename(empty_database_url) as rename:
        await execute(
            empty_database_url,
            "ALTER TABLE bill ALTER amount_cents DROP NOT NULL",
            "DO $$ DECLARE c name; BEGIN FOR c IN SELECT conname FROM pg_constraint WHERE conrelid"
            " = 'bill'::regclass AND contype = 'c' LOOP EXECUTE format('ALTER TABLE bill DROP"
            " CONSTRAINT %I', c); END LOOP; END $$",
            "ALTER TABLE bill DISABLE TRIGGER ALL",
            "INSERT INTO bill (id, amt) SELECT n, 1 FROM generate_series(1001, 6000) AS n",
            "ALTER TABLE bill ENABLE TRIGGER ALL",
        )
        await rename.expand()
        assert (await rename.backfill()).rows_updated == 5_000
        assert (await rename.verify()).ok
