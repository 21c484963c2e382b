"""Who may go on with a rename that another has begun: each member of the table's owner."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest

from invoicing.toolkit.rename.columns.rollback import rollback_statements
from invoicing.toolkit.rename.errors import RenameFailedError, RenameRefusedError
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import Names
from tests.conftest import execute
from tests.rename.bills import CONFIRM, make_bills, renaming, verified
from tests.rename.faults import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

OWNED = """
SELECT array_agg(DISTINCT pg_get_userbyid(owner)::text) FROM (
    SELECT nspowner, oid FROM pg_namespace WHERE nspname = 'invoicing_rename'
    UNION ALL SELECT relowner, relnamespace FROM pg_class UNION ALL
    SELECT proowner, pronamespace FROM pg_proc) AS o (owner, namespace)
WHERE namespace = (SELECT oid FROM pg_namespace WHERE nspname = 'invoicing_rename')
"""
SCHEMA = "SELECT to_regnamespace('invoicing_rename')::text"


class Team(NamedTuple):
    """The owner of the table, two of its members, and a role that is none."""

    url: URL
    team: str
    first: URL
    second: URL
    other: URL

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(str(url.username) for url in (self.first, self.second, self.other))


@asynccontextmanager
async def make_team(url: URL, creates: bool = True) -> AsyncIterator[Team]:
    team = f"team_{url.database}"
    first, second, other = (f"{name}_{url.database}" for name in ("m1", "m2", "o2"))
    await execute(
        await make_bills(url),
        f"CREATE ROLE {team}",
        f"CREATE ROLE {first} LOGIN IN ROLE {team}",
        f"CREATE ROLE {second} LOGIN IN ROLE {team}",
        f"CREATE ROLE {other} LOGIN",
        f"GRANT ALL ON SCHEMA public TO {team}, {other}",
        f"ALTER TABLE bill OWNER TO {team}",
        "CREATE STATISTICS both_columns ON id, amt FROM bill",
        f"ALTER STATISTICS both_columns OWNER TO {team}",
        "ALTER TABLE bill ADD CHECK (amt > 0)",
        "CREATE INDEX ON bill (amt)",
        *([f"GRANT CREATE ON DATABASE {url.database} TO {team}, {other}"] if creates else []),
    )
    logins = [url.set(username=name) for name in (first, second, other)]
    try:
        yield Team(url, team, *logins)
    finally:
        for name in (first, second, other, team):
            await execute(url, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@asynccontextmanager
async def expanded_team(url: URL) -> AsyncIterator[Team]:
    """Yield a team whose first member has run the expand."""
    async with make_team(url) as team:
        async with renaming(team.first) as rename:
            await rename.expand()
        yield team


async def verify_and_roll_back(url: URL) -> None:
    """Go on after the expand, as another account perhaps, and take it all back."""
    async with renaming(url) as rename:
        assert (await rename.backfill()).completed
        assert (await rename.verify()).ok
        await rename.rollback()


async def fetch(url: URL, query: str) -> object:
    async with connected(url) as connection:
        return await connection.fetchval(query)


@pytest.mark.parametrize("strategy", ["columns", "view"])
@pytest.mark.parametrize("end", ["contract", "rollback"])
async def test_a_second_member_goes_on_to_the_end(
    empty_database_url: URL, strategy: str, end: str
) -> None:
    async with make_team(empty_database_url) as team:
        async with renaming(team.first, strategy=strategy) as rename:
            await rename.expand()
        assert await fetch(team.url, OWNED) == [team.team]
        async with renaming(team.second) as rename:
            await rename.expand()
            assert (await rename.backfill()).completed
            assert (await rename.verify()).ok
        async with renaming(team.first) as rename:
            await rename.gate()
        async with renaming(team.second) as rename:
            if end == "contract":
                await rename.contract(confirm=CONFIRM)
                async with renaming(team.first) as back:
                    assert (await back.restore()).completed
                async with renaming(team.second) as back:
                    await back.reversed().rollback()
                assert (await rename.status()).phase is Phase.CONTRACTED
            else:
                await rename.rollback()
                assert await fetch(team.url, SCHEMA) is None


async def test_a_superuser_begins_for_the_tables_owner(empty_database_url: URL) -> None:
    async with make_team(empty_database_url) as team:
        async with renaming(team.url) as rename:
            await rename.expand()
        await verify_and_roll_back(team.first)
        assert await fetch(team.url, SCHEMA) is None


async def test_a_schema_that_another_made_is_used_and_left_empty(empty_database_url: URL) -> None:
    async with make_team(empty_database_url, creates=False) as team:
        await execute(team.url, f"CREATE SCHEMA invoicing_rename AUTHORIZATION {team.names[0]}")
        for _ in range(2):
            async with renaming(team.first) as rename:
                await rename.expand()
            await verify_and_roll_back(team.second)
            assert await fetch(team.url, SCHEMA) == "invoicing_rename"
            assert await fetch(team.url, "SELECT count(*) FROM invoicing_rename.rename") == 0


async def test_what_a_killed_expand_has_left_is_made_again(empty_database_url: URL) -> None:
    names = Names("public", "bill", "amt", "amount_cents")
    async with expanded_team(empty_database_url) as team:
        # As it is between its functions and its triggers.
        await execute(
            team.url,
            *rollback_statements(names)[1:],
            "UPDATE invoicing_rename.rename SET phase = 'expanding'",
            *(
                f"ALTER FUNCTION {names.function(f)}() OWNER TO {team.names[0]}"
                for f in names.functions
            ),
            f"ALTER SEQUENCE {names.sequence} OWNER TO {team.names[0]}",
        )
        async with renaming(team.second) as rename:
            await verified(rename)
            await rename.contract(confirm=CONFIRM)


async def test_after_a_change_of_owner_the_message_has_the_grant(empty_database_url: URL) -> None:
    async with expanded_team(empty_database_url) as team:
        o2 = team.names[2]
        await execute(team.url, f"ALTER TABLE bill OWNER TO {o2}")
        grant = f"GRANT {team.team} TO {o2}"
        for phase in ("backfill", "verify", "expand", "contract", "rollback", "pause"):
            async with renaming(team.other) as rename:
                with pytest.raises(RenameFailedError) as caught:
                    await getattr(rename, phase)()
            assert f"invoicing_rename, which belongs to {team.team}" in str(caught.value)
            assert grant in str(caught.value)
        await execute(team.url, grant)
        await go_on_and_give_back(team)
        assert await fetch(team.url, OWNED) == [o2]
        async with renaming(team.other) as rename:
            await rename.contract(confirm=CONFIRM)


async def go_on_and_give_back(team: Team) -> None:
    """Let the new owner take everything over; then the membership is not needed any more."""
    async with renaming(team.other) as rename:
        assert (await rename.backfill()).completed
    await execute(team.url, f"REVOKE {team.team} FROM {team.names[2]}")
    async with renaming(team.other) as rename:
        assert (await rename.verify()).ok


async def test_what_is_the_first_members_own_is_handed_over_once(empty_database_url: URL) -> None:
    """As an older version has left it."""
    async with expanded_team(empty_database_url) as team:
        first, second, _ = team.names
        reassign = f"REASSIGN OWNED BY {team.team} TO {first}"
        await execute(team.url, reassign, f"ALTER TABLE bill OWNER TO {team.team}")
        async with renaming(team.second) as rename:
            with pytest.raises(RenameFailedError) as caught:
                await rename.backfill()
            assert f"GRANT {first} TO {second}. Then" in str(caught.value)
        async with renaming(team.first) as rename:
            await rename.gate()
        assert await fetch(team.url, OWNED) == [team.team]
        async with renaming(team.second) as rename:
            assert (await rename.backfill()).completed


async def test_who_is_no_member_is_given_the_grant(empty_database_url: URL) -> None:
    async with expanded_team(empty_database_url) as team, renaming(team.other) as rename:
        with pytest.raises(RenameFailedError) as caught:
            await rename.backfill()
        grant = f"GRANT {team.team} TO {team.names[2]}"
        assert f"superuser: {grant}. Then" in str(caught.value)
        await execute(team.url, grant)
        await verified(rename)


async def test_a_second_owner_is_given_the_grants(empty_database_url: URL) -> None:
    async with make_team(empty_database_url) as team:
        o2 = team.names[2]
        await execute(
            team.url,
            "CREATE TABLE twin (id bigint PRIMARY KEY, amt bigint)",
            "INSERT INTO twin VALUES (1, 1)",
            f"ALTER TABLE twin OWNER TO {o2}",
        )
        async with renaming(team.first) as rename:
            await rename.expand()
        async with renaming(team.other, table="twin") as twin:
            refusals = (await twin.plan()).refusals
            with pytest.raises((RenameFailedError, RenameRefusedError)) as caught:
                await twin.expand()
        for said in (str(caught.value), *map(str, refusals)):
            assert f"which belongs to {team.team}" in said
            assert f"ON SCHEMA invoicing_rename TO {o2}" in said
            assert f"ON ALL TABLES IN SCHEMA invoicing_rename TO {o2}" in said
        grants = str(caught.value).partition("superuser: ")[2].partition(". Then")[0]
        await execute(team.url, *grants.split("; "))
        async with renaming(team.other, table="twin") as twin:
            await verified(twin)
            await twin.contract(confirm="twin.amt")
        async with renaming(team.second) as rename:
            assert (await rename.backfill()).completed
            await rename.rollback()


async def test_who_may_act_for_both_owners_grants_it_by_the_way(empty_database_url: URL) -> None:
    async with make_team(empty_database_url) as team:
        await execute(
            team.url,
            "CREATE TABLE twin (id bigint PRIMARY KEY, amt bigint)",
            f"ALTER TABLE twin OWNER TO {team.names[2]}",
        )
        for table in ("bill", "twin"):
            async with renaming(team.url, table=table) as rename:
                await rename.expand()
        async with renaming(team.other, table="twin") as twin:
            await verified(twin)
            await twin.rollback()
        async with renaming(team.second) as rename:
            await verified(rename)
            await rename.rollback()
        assert await fetch(team.url, SCHEMA) is None
