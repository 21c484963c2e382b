"""An error that other people's code raised is said to be theirs, by its statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename.errors import RenameFailedError
from tests.conftest import execute
from tests.rename.bills import make_bills, renaming

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def test_an_event_trigger_that_refuses_is_named_with_the_statement_it_refused(
    empty_database_url: URL,
) -> None:
    url = await make_bills(empty_database_url, 20)
    async with renaming(url) as rename:
        await rename.expand()
        await execute(
            url,
            "CREATE FUNCTION public.no_drops() RETURNS event_trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM FROM forbidden_list; END'",
            "CREATE EVENT TRIGGER no_drops ON sql_drop EXECUTE FUNCTION public.no_drops()",
        )
        with pytest.raises(RenameFailedError) as raised:
            await rename.rollback()
        message = str(raised.value)
        assert "no_drops()" in message
        assert "DROP TRIGGER" in message
        assert "LOCK TABLE" not in message
        assert "The table is not there" not in message
        await execute(url, "DROP EVENT TRIGGER no_drops")
        await rename.rollback()
