"""A trigger's function that the expand has replaced, and that others replace in the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename.errors import RenameRefusedError
from tests.conftest import execute
from tests.rename.bills import renaming
from tests.rename.faults import fetch
from tests.rename.whole import everything

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

FUNCTION = (
    "CREATE OR REPLACE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN NEW.note := concat({more} 'was ', NEW.{name}); RETURN NEW; END $$"
)
TRIGGER = "CREATE TRIGGER keeps BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION keeps()"
OLD = FUNCTION.format(name="amt", more="")
INSERT = "INSERT INTO bill (id, amt) VALUES ({}, 7)"
BODY = "SELECT prosrc FROM pg_proc WHERE proname = 'keeps'"
ACCEPT = frozenset({"function-rewrite:public.keeps()"})


async def test_it_is_replaced_in_the_swap_and_by_the_next_expand_and_put_back(url: URL) -> None:
    await execute(url, OLD, TRIGGER)
    before = await everything(url)
    async with renaming(url, strategy="view") as rename:
        with pytest.raises(RenameRefusedError, match="--accept function-rewrite"):
            await rename.expand()
    async with renaming(url, strategy="view", accept=ACCEPT) as rename:
        assert any('NEW."amount_cents"' in step.sql for step in (await rename.plan()).steps)
        await rename.expand()
        await execute(url, INSERT.format(50_001))
        # Deployed again as it was: what names no column of the row fails until the next expand.
        await execute(url, OLD)
        await rename.expand()
        await execute(url, INSERT.format(50_002), "DELETE FROM bill WHERE note = 'was 7'")
        await rename.rollback()
        assert await everything(url) == before


async def test_what_its_owner_has_changed_meanwhile_stays_with_the_old_name(url: URL) -> None:
    await execute(url, OLD, TRIGGER)
    async with renaming(url, strategy="view", accept=ACCEPT) as rename:
        await rename.expand()
        await execute(url, FUNCTION.format(name="amount_cents", more="TG_OP,"))
        await rename.rollback()
    assert await fetch(url, BODY) == (
        " BEGIN NEW.note := concat(TG_OP, 'was ', NEW.\"amt\"); RETURN NEW; END "
    )
    await execute(url, INSERT.format(50_001))
