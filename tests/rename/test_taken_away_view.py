"""What is changed while a view stands in the table's place is there after the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rename.bills import verified
from tests.rename.test_taken_away import (
    CASES,
    CHECK,
    assert_as_the_twin,
    for_roles,
    run_on_both,
    tables,
    two_roles,
)
from tests.rename.twin import OURS, TWIN, execute_in, make_twins, renaming

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

# On the view, by either of the column's names.
ON_A_VIEW = {
    "revoked by the old name": ["REVOKE SELECT (amt) ON thing FROM {x} CASCADE"],
    "revoked by a grantor": ["SET ROLE {x}; REVOKE SELECT (amt) ON thing FROM {y}; RESET ROLE"],
    "granted by a grantor": ["SET ROLE {x}; GRANT SELECT (amt) ON thing TO PUBLIC; RESET ROLE"],
    "commented": ["COMMENT ON COLUMN thing.amt IS NULL"],
    "a default": ["ALTER TABLE thing ALTER amt SET DEFAULT 7"],
}


@pytest.mark.parametrize("name", ON_A_VIEW)
async def test_what_is_done_to_the_view_is_done_to_the_table(
    empty_database_url: URL, name: str
) -> None:
    url = empty_database_url
    before = CASES["grantor"][0][:2] + CASES["comment changed"][0]
    async with two_roles(url) as roles, renaming(url, strategy="view") as rename:
        await make_twins(url, [*tables("plain"), *for_roles(before, roles)])
        await verified(rename)
        await run_on_both(url, for_roles(ON_A_VIEW[name], roles))
        await assert_as_the_twin(url, rename)


async def test_what_is_done_to_the_table_behind_the_view_stays(empty_database_url: URL) -> None:
    url = empty_database_url
    async with two_roles(url) as roles, renaming(url, strategy="view") as rename:
        await make_twins(url, [*tables("plain"), *for_roles(CASES["grantor"][0][:1], roles), CHECK])
        await verified(rename)
        for schema, table, column in ((OURS, "thing_base", "cents"), (TWIN, "thing", "amt")):
            await execute_in(
                url,
                schema,
                f"ALTER TABLE {table} DROP CONSTRAINT ck, ALTER {column} SET STATISTICS 50",
                f"ALTER TABLE {table} ALTER id SET DEFAULT 5",
                f"REVOKE SELECT ({column}) ON {table} FROM {roles[0]}",
                f"GRANT UPDATE ({column}) ON {table} TO {roles[1]}",
                f"COMMENT ON COLUMN {table}.{column} IS 'why'",
            )
        await assert_as_the_twin(url, rename)
