"""What each phase says once the old column is there again, by a restore or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename import Phase, Rename
from invoicing.toolkit.rename.errors import RenamePhaseError
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, renaming, verified, verified_rename
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

BACK = "invoicing rename rollback bill amount_cents amt"


async def contracted(rename: Rename) -> None:
    await verified(rename)
    await rename.contract(confirm=CONFIRM)


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_pair_that_was_restored_names_what_ends_the_way_back(
    url: URL, strategy: str
) -> None:
    async with renaming(url, strategy=strategy) as rename:
        await contracted(rename)
        await rename.restore()
        for verb in ("expand", "backfill", "verify", "gate", "contract", "rollback"):
            given = {"confirm": CONFIRM} if verb == "contract" else {}
            with pytest.raises(RenamePhaseError, match=BACK):
                await getattr(rename, verb)(**given)
                pytest.fail(verb)
            assert (await rename.status()).phase is Phase.REVERSED
        await rename.reversed().rollback()
        assert (await rename.status()).phase is Phase.CONTRACTED


async def test_a_restored_column_can_be_contracted_the_other_way(url: URL) -> None:
    async with renaming(url) as rename:
        await contracted(rename)
        await rename.restore()
        await rename.reversed().contract(confirm="bill.amount_cents")
        assert (await rename.status()).phase is Phase.NONE


async def test_a_column_that_was_added_again_by_hand_is_not_gone(url: URL) -> None:
    async with renaming(url) as rename:
        await contracted(rename)
        await execute(url, "ALTER TABLE bill ADD COLUMN amt bigint")
        assert (await rename.status()).phase is Phase.NONE
        with pytest.raises(RenamePhaseError, match="invoicing rename expand bill amt"):
            await rename.contract(confirm=CONFIRM)


async def test_a_new_column_that_was_dropped_by_hand_is_expanded_again(url: URL) -> None:
    async with verified_rename(url) as rename:
        await execute(url, "ALTER TABLE bill DROP COLUMN amount_cents CASCADE")
        assert (await rename.status()).phase is Phase.EXPANDING
        for phase in (rename.backfill, rename.verify, rename.gate):
            with pytest.raises(RenamePhaseError, match="invoicing rename expand bill amt"):
                await phase()
        await verified(rename)
        assert await filled(url) == (1_000, 1_000)


async def filled(url: URL) -> tuple[int, int]:
    async with connected(url) as connection:
        query = "SELECT count(*), count(*) FILTER (WHERE amt = amount_cents) FROM bill"
        return tuple(await connection.fetchrow(query))


async def test_a_new_column_that_was_dropped_by_hand_can_be_rolled_back(url: URL) -> None:
    async with verified_rename(url) as rename:
        await execute(url, "ALTER TABLE bill DROP COLUMN amount_cents CASCADE")
        await rename.rollback()
        assert (await rename.status()).phase is Phase.NONE
        await execute(url, "UPDATE bill SET amt = 7")


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_table_that_was_made_anew_begins_anew(url: URL, strategy: str) -> None:
    async with verified_rename(url, strategy=strategy) as rename:
        table = "bill" if strategy == "columns" else "bill_base"
        await execute(url, f"DROP TABLE {table} CASCADE")
        await make_bills(url)
        assert (await rename.status()).phase in {Phase.NONE, Phase.EXPANDING}
        with pytest.raises(RenamePhaseError, match="invoicing rename expand bill amt"):
            await rename.contract(confirm=CONFIRM)
        await contracted(rename)
        assert (await rename.status()).phase is Phase.CONTRACTED


async def test_an_old_column_that_was_dropped_by_hand_is_tidied_up(url: URL) -> None:
    async with verified_rename(url) as rename:
        await execute(url, "ALTER TABLE bill DROP COLUMN amt CASCADE")
        assert (await rename.status()).phase is Phase.CONTRACTED
        await rename.contract(confirm=CONFIRM)
        await execute(url, "UPDATE bill SET amount_cents = 7")
        async with connected(url) as connection:
            left = "SELECT count(*) FROM pg_trigger WHERE tgname ~ '^~z_rename'"
            assert await connection.fetchval(left) == 0
