"""What cannot be copied and came after the expand is named by its reason, not by another verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.rename.bills import CONFIRM, TARGET, make_bills, renaming, verified

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

FUNCTION = "CREATE FUNCTION whole(bill) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'"
# What no copy can be made of, the statement that takes it away, and its reason.
UNSUPPORTED = {
    "a check of the whole row": (
        [FUNCTION, "ALTER TABLE bill ADD CONSTRAINT ck CHECK (amt > 0 AND whole(bill))"],
        "ALTER TABLE bill DROP CONSTRAINT ck",
        '"ck" ON',
    ),
    "an index of both columns": (
        ["CREATE INDEX both_columns ON bill (amt, amount_cents)"],
        "DROP INDEX both_columns",
        '"both_columns" ON',
    ),
    "statistics of both columns": (
        ["CREATE STATISTICS both_columns ON amt, amount_cents FROM bill"],
        "DROP STATISTICS both_columns",
        '"both_columns" ON',
    ),
}
# What cannot follow, and the contract would be refused for.
DEPENDENTS = {
    "a rule": (
        "CREATE RULE notes AS ON UPDATE TO bill WHERE NEW.amt < 0 DO INSTEAD NOTHING",
        "notes ON",
    ),
    "a table that inherits": ("CREATE TABLE child () INHERITS (bill)", "public.child"),
}


async def assert_named(url: URL, case: tuple[list[str], str, str]) -> None:
    statements, cure, subject = case
    again = TARGET.command("verify")
    async with renaming(await make_bills(url)) as rename:
        await verified(rename)
        await execute(url, *statements)
        report = await rename.verify()
        assert not report.ok
        (refusal,) = report.refused
        assert refusal.startswith(subject)
        assert "cannot be copied" in refusal
        assert "Drop it first" in refusal
        await execute(url, "UPDATE invoicing_rename.rename SET phase = 'verified'")
        said = [str(objection) for objection in (await rename.gate()).objections]
        assert refusal in said
        assert not [line for line in said if again in line], said
        await execute(url, cure)
        assert (await rename.verify()).ok
        await rename.contract(confirm=CONFIRM)


@pytest.mark.parametrize("case", UNSUPPORTED.values(), ids=UNSUPPORTED)
async def test_verify_and_the_gate_say_why_no_copy_can_be_made(
    empty_database_url: URL, case: tuple[list[str], str, str]
) -> None:
    await assert_named(empty_database_url, case)


@pytest.mark.parametrize("case", DEPENDENTS.values(), ids=DEPENDENTS)
async def test_verify_names_what_the_gate_will_be_closed_for(
    empty_database_url: URL, case: tuple[str, str]
) -> None:
    statement, subject = case
    async with renaming(await make_bills(empty_database_url)) as rename:
        await verified(rename)
        assert (await rename.verify()).notes == []
        await execute(empty_database_url, statement)
        notes = (await rename.verify()).notes
        assert [note for note in notes if note.startswith(subject)], notes
        assert not (await rename.gate()).open
