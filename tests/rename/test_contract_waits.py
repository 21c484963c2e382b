"""What still names the old column keeps the contract waiting, until its owner has changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.rename.errors import ContractRefusedError
from tests.conftest import execute
from tests.rename.bills import verified
from tests.rename.test_dependents import make_both, renaming

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# What its owner has to change before the contract: made, and changed.
LATER = {
    "trigger-function": (
        (
            "CREATE FUNCTION renamed.f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM sum(amt) FROM new_rows; RETURN NULL; END';"
            "CREATE TRIGGER g AFTER INSERT ON renamed.thing REFERENCING NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION renamed.f()"
        ),
        (
            "CREATE OR REPLACE FUNCTION renamed.f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM sum(cents) FROM new_rows; RETURN NULL; END'"
        ),
    ),
    "trigger-argument": (
        (
            "CREATE FUNCTION renamed.g() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER h AFTER INSERT ON renamed.thing FOR EACH ROW"
            " EXECUTE FUNCTION renamed.g('amt')"
        ),
        (
            "CREATE OR REPLACE TRIGGER h AFTER INSERT ON renamed.thing FOR EACH ROW"
            " EXECUTE FUNCTION renamed.g('cents')"
        ),
    ),
    "whole-row": (
        "CREATE VIEW renamed.w AS SELECT to_jsonb(t) AS data FROM renamed.thing AS t",
        "DROP VIEW renamed.w",
    ),
    "view": (
        "CREATE VIEW renamed.v AS SELECT id, amt FROM renamed.thing",
        "CREATE OR REPLACE VIEW renamed.v AS SELECT id, cents AS amt FROM renamed.thing",
    ),
    "materialized-view": (
        "CREATE MATERIALIZED VIEW renamed.m AS SELECT sum(amt) FROM renamed.thing",
        "DROP MATERIALIZED VIEW renamed.m",
    ),
    "policy": (
        "CREATE POLICY p ON renamed.thing USING (amt > 0)",
        "ALTER POLICY p ON renamed.thing USING (cents > 0)",
    ),
    "function": (
        (
            "CREATE FUNCTION renamed.total() RETURNS bigint LANGUAGE sql AS"
            " 'SELECT sum(amt)::bigint FROM renamed.thing'"
        ),
        (
            "CREATE OR REPLACE FUNCTION renamed.total() RETURNS bigint LANGUAGE sql AS"
            " 'SELECT sum(cents)::bigint FROM renamed.thing'"
        ),
    ),
}


async def test_the_contract_waits_until_nothing_names_the_old_column(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await make_both(url, [])
    await execute(url, *(make for make, _ in LATER.values()))
    async with renaming(url) as rename:
        found = {finding.slug: finding.verdict for finding in (await rename.plan()).findings}
        assert {found.get(slug) for slug in LATER} == {"later"}
        await verified(rename)
        with pytest.raises(ContractRefusedError, match=r"^cannot contract") as refused:
            await rename.contract(confirm="thing.amt")
        assert {objection.slug for objection in refused.value.objections} == LATER.keys()
        *others, (_, last) = LATER.values()
        await execute(url, *(fix for _, fix in others))
        assert len((await rename.gate()).objections) == 1
        await execute(url, last)
        await rename.contract(confirm="thing.amt")
