"""A view in the table's place, or the table behind it, that is given to another owner meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename.errors import RenameFailedError
from tests.conftest import execute
from tests.rename.bills import verified
from tests.rename.faults import connected
from tests.rename.test_taken_away import assert_as_the_twin, for_roles, tables, two_roles
from tests.rename.twin import OURS, TWIN, make_twins, renaming

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

OWNER = """
SELECT format('%s %s %s', c.relowner::regrole, ARRAY(SELECT x::text FROM aclexplode(c.relacl) AS x
    ORDER BY 1), (SELECT count(*) FROM pg_class AS s WHERE s.relnamespace = c.relnamespace
        AND s.relowner <> c.relowner AND s.relkind IN ('r', 'v', 'S')))
FROM pg_class AS c WHERE relname = 'thing' AND relnamespace = $1::text::regnamespace
"""
WRITE = f'UPDATE "{OURS}".thing SET amt = 7 WHERE id = 1'
# Before the expand: what the table's privileges are kept by.
GRANTED = ["GRANT SELECT, UPDATE ON thing TO {y}", "GRANT SELECT (amt) ON thing TO {y}"]


async def give(url: URL, ours: str, owner: str) -> None:
    """Give our view, or the table behind it, and the twin to another owner."""
    await execute(
        url,
        f'ALTER TABLE "{OURS}".{ours} OWNER TO {owner}',
        f'ALTER TABLE "{TWIN}".thing OWNER TO {owner}',
    )


async def owners(url: URL) -> list[str]:
    async with connected(url) as connection:
        return [await connection.fetchval(OWNER, f'"{schema}"') for schema in (OURS, TWIN)]


async def stated(rename: Rename) -> str:
    """Return the statement that status, gate, verify and plan all name."""
    notes = [*(await rename.status()).notes, *(await rename.verify()).notes]
    notes += [str(finding) for finding in (await rename.gate()).unseen if finding.slug == "owner"]
    notes += [str(finding) for finding in (await rename.plan()).findings if finding.slug == "owner"]
    assert len(notes) == 4
    (note,) = set(notes)
    return note.partition("Run: ")[2].partition(";")[0]


@pytest.fixture
async def roles(empty_database_url: URL) -> AsyncIterator[tuple[str, str]]:
    async with two_roles(empty_database_url) as roles:
        yield roles


@pytest.fixture
async def given_away(
    empty_database_url: URL, roles: tuple[str, str], given: str
) -> AsyncIterator[Rename]:
    """Yield a verified rename, of whose view or table the owner was changed."""
    url = empty_database_url
    await make_twins(url, [*tables("plain"), *for_roles(GRANTED, roles)])
    async with renaming(url, strategy="view") as rename:
        await verified(rename)
        await give(url, given, roles[0])
        yield rename


@pytest.mark.parametrize("given", ["thing", "thing_base"])
@pytest.mark.parametrize("cured", [True, False])
async def test_the_contract_leaves_the_owner_that_a_plain_table_would_have(
    empty_database_url: URL, roles: tuple[str, str], given_away: Rename, given: str, cured: bool
) -> None:
    url = empty_database_url
    statement = await stated(given_away)
    assert statement.endswith(f"OWNER TO {roles[0]}")
    if given == "thing":
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(url, WRITE)
    if cured:
        await execute(url, statement, f'UPDATE "{OURS}".thing SET cents = 7 WHERE id = 1')
        assert (await given_away.status()).notes == []
    await assert_as_the_twin(url, given_away)
    ours, twin = await owners(url)
    assert ours == twin


@pytest.mark.parametrize("given", ["thing", "thing_base"])
async def test_so_does_the_rollback(empty_database_url: URL, given_away: Rename) -> None:
    await given_away.rollback()
    ours, twin = await owners(empty_database_url)
    assert ours == twin
    await execute(empty_database_url, WRITE)


async def make_owned(url: URL, account: str) -> None:
    """Make twins, ours of which an account owns that may log in, and is no superuser."""
    await make_twins(url, tables("plain"))
    await execute(
        url,
        f"ALTER ROLE {account} LOGIN",
        f'GRANT CREATE ON DATABASE "{url.database}" TO {account}',
        f'GRANT ALL ON SCHEMA "{OURS}" TO {account}',
        f'ALTER TABLE "{OURS}".thing OWNER TO {account}',
    )


async def test_a_group_may_own_it_and_its_member_goes_on(
    empty_database_url: URL, roles: tuple[str, str]
) -> None:
    url, (group, member) = empty_database_url, roles
    await make_owned(url, member)
    await execute(
        url,
        f"GRANT {group} TO {member}",
        f'GRANT ALL ON SCHEMA "{OURS}" TO {group}',
        f'ALTER TABLE "{TWIN}".thing OWNER TO {member}',
    )
    async with renaming(url.set(username=member), strategy="view") as rename:
        await verified(rename)
        await give(url, "thing", group)
        await execute(url, await stated(rename))
        await execute(url.set(username=member), WRITE)
        await rename.rollback()
    ours, twin = await owners(url)
    assert ours == twin


async def test_whoever_may_not_alter_both_is_refused_and_nothing_is_changed(
    empty_database_url: URL, roles: tuple[str, str]
) -> None:
    url, (other, account) = empty_database_url, roles
    await make_owned(url, account)
    async with renaming(url.set(username=account), strategy="view") as rename:
        await verified(rename)
        await give(url, "thing", other)
        with pytest.raises(RenameFailedError):
            await rename.rollback()
        await execute(url, await stated(rename), f"GRANT {other} TO {account}")
        await rename.rollback()
