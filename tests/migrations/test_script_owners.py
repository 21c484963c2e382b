"""A script leaves what it makes to the table's owner, so that another of its members goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.migrations.loans import SUM, fetch, total, version
from tests.migrations.project import psql, write_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alembic.config import Config
    from sqlalchemy.engine import URL


@pytest.fixture
async def members(loans: URL) -> AsyncIterator[tuple[URL, URL, URL]]:
    """Yield the URLs of two members of the table's owner, and of a role that is none."""
    team = f"team_{loans.database}"
    names = [f"{name}_{loans.database}" for name in ("m1", "m2", "o2")]
    await execute(
        loans,
        f"CREATE ROLE {team}",
        *(f"CREATE ROLE {name} LOGIN IN ROLE {team}" for name in names[:2]),
        f"CREATE ROLE {names[2]} LOGIN",
        f"GRANT ALL ON SCHEMA public TO {team}",
        f"GRANT CREATE ON DATABASE {loans.database} TO {team}",
        *(f"ALTER TABLE {table} OWNER TO {team}" for table in ("loan", "alembic_version")),
    )
    try:
        yield tuple(loans.set(username=name) for name in names)
    finally:
        for name in (*names, team):
            await execute(loans, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


@pytest.fixture
async def others(loans: URL, members: tuple[URL, URL, URL], project: Config) -> tuple[URL, URL]:
    """Return the second member and who is none, once the first has run the expand."""
    first, *rest = members
    ran = psql(first, write_script(project, "001:002"))
    assert (ran.returncode, await version(loans)) == (0, "002"), ran.stderr
    return tuple(rest)


async def test_a_second_member_runs_the_contract(
    loans: URL, others: tuple[URL, URL], project: Config
) -> None:
    second, _ = others
    ran = psql(second, write_script(project, "002:003"))
    assert (ran.stderr, ran.returncode, await version(loans)) == ("", 0, "003")
    assert await total(loans, "fee_cents") == SUM


async def test_a_second_member_runs_the_rollback(
    loans: URL, others: tuple[URL, URL], project: Config
) -> None:
    ran = psql(others[0], write_script(project, "002:001"))
    assert (ran.returncode, await version(loans)) == (0, "001"), ran.stderr
    assert await fetch(loans, "SELECT to_regnamespace('invoicing_rename')") is None


async def test_who_is_no_member_is_given_the_grant(
    loans: URL, others: tuple[URL, URL], project: Config
) -> None:
    _, other = others
    ran = psql(other, write_script(project, "002:003"))
    assert f"GRANT team_{loans.database} TO {other.username}" in ran.stderr
    assert await version(loans) == "002"
