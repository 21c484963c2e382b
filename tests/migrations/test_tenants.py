"""A migration renames the table that its own connection finds, on connections like its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from invoicing.errors import InvoicingError, UsageError
from tests.conftest import execute
from tests.migrations.loans import fetch
from tests.migrations.project import make_project, rename_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy import URL, Connection

MADE = (
    "CREATE SCHEMA {0}",
    "CREATE TABLE {0}.loan (id serial PRIMARY KEY, fee bigint NOT NULL)",
    "INSERT INTO {0}.loan (fee) SELECT n FROM generate_series(1, 100) AS n",
)
SCHEMAS = ("one", "two", "public")


@pytest.fixture
async def tenants(empty_database_url: URL) -> URL:
    """Return a database where each of two tenants has its loans, and `public` too."""
    await execute(empty_database_url, "DROP SCHEMA public")
    for schema in SCHEMAS:
        await execute(empty_database_url, *(statement.format(schema) for statement in MADE))
    return empty_database_url


async def names(url: URL) -> dict[str, str]:
    """Return by which names each tenant has its fees."""
    found = await fetch(
        url,
        "SELECT array_agg(ARRAY[n.nspname::text, (SELECT string_agg(attname, ' ' ORDER BY attname)"
        " FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname ~ '^fee')])"
        " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace WHERE relname = 'loan'",
    )
    return {schema: columns for schema, columns in found if schema in SCHEMAS}


async def upgrade(
    config: Config,
    url: URL,
    before: Callable[[Connection], Any] = lambda _: None,
    revision: str = "003",
    **engine: Any,
) -> None:
    """Upgrade on a connection of an engine made with `engine`, after `before` has seen it."""

    def run(connection: Connection) -> None:
        before(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    made = create_async_engine(url, **engine)
    try:
        async with made.connect() as connection:
            await connection.run_sync(run)
    finally:
        await made.dispose()


def search(schema: str) -> Callable[[Connection], None]:
    """Return Alembic's own recipe for tenants."""

    def set_path(connection: Connection) -> None:
        connection.execute(text(f"SET search_path TO {schema}"))
        connection.commit()
        connection.dialect.default_schema_name = schema

    return set_path


async def test_each_tenant_of_a_search_path_is_renamed_and_stamped(
    tenants: URL, tmp_path: Path
) -> None:
    config = make_project(tmp_path / "project")
    await upgrade(config, tenants, search("one"))
    assert await names(tenants) == {"one": "fee_cents", "two": "fee", "public": "fee"}
    await upgrade(config, tenants, search("two"), "002")
    assert await names(tenants) == {"one": "fee_cents", "two": "fee fee_cents", "public": "fee"}
    assert await fetch(tenants, "SELECT version_num FROM one.alembic_version") == "003"
    assert await fetch(tenants, "SELECT version_num FROM two.alembic_version") == "002"
    assert await fetch(tenants, "SELECT to_regclass('public.alembic_version')") is None
    assert await fetch(tenants, "SELECT sum(fee_cents) FROM one.loan") == 5050


async def test_a_view_may_take_the_tables_place(tenants: URL, tmp_path: Path) -> None:
    config = make_project(tmp_path / "project", options=rename_of(strategy="view"))
    await upgrade(config, tenants, search("one"))
    assert await names(tenants) == {"one": "fee_cents", "two": "fee", "public": "fee"}
    assert await fetch(tenants, "SELECT version_num FROM one.alembic_version") == "003"


async def test_a_schema_map_names_the_tenant(tenants: URL, tmp_path: Path) -> None:
    config = make_project(
        tmp_path / "project", online=", version_table_schema='two', version_table='v'"
    )
    await upgrade(config, tenants, execution_options={"schema_translate_map": {None: "two"}})
    assert await names(tenants) == {"one": "fee", "two": "fee_cents", "public": "fee"}


async def creator(url: URL) -> asyncpg.Connection:
    return await asyncpg.connect(
        url.set(drivername="postgresql").render_as_string(False),
        server_settings={"search_path": "two"},
    )


ENGINES: dict[str, Callable[[URL], tuple[URL, dict[str, Any]]]] = {
    "server settings": lambda url: (
        url,
        {"connect_args": {"server_settings": {"search_path": "two", "lock_timeout": "7s"}}},
    ),
    "database in connect_args": lambda url: (
        url.set(database="postgres"),
        {
            "connect_args": {
                "database": url.database,
                "server_settings": {"search_path": "two"},
            }
        },
    ),
    "creator": lambda url: (
        url.set(database="postgres", query={}),
        {"async_creator": lambda: creator(url)},
    ),
    "one pooled connection": lambda url: (
        url,
        {
            "pool_size": 1,
            "max_overflow": 0,
            "pool_timeout": 1,
            "connect_args": {"server_settings": {"search_path": "two"}},
        },
    ),
    "no pool": lambda url: (
        url,
        {"poolclass": NullPool, "connect_args": {"server_settings": {"search_path": "two"}}},
    ),
    "one connection for all": lambda url: (
        url,
        {"poolclass": StaticPool, "connect_args": {"server_settings": {"search_path": "two"}}},
    ),
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
async def test_connections_are_opened_as_the_migrations_engine_opens_them(
    tenants: URL, tmp_path: Path, engine: Callable[[URL], tuple[URL, dict[str, Any]]]
) -> None:
    url, arguments = engine(tenants)
    await upgrade(make_project(tmp_path / "project"), url, **arguments)
    assert await names(tenants) == {"one": "fee", "two": "fee_cents", "public": "fee"}


async def test_the_migrations_role_is_the_renames(tenants: URL, tmp_path: Path) -> None:
    role = f"owner_of_{tenants.database}"
    await execute(
        tenants,
        f"CREATE ROLE {role}",
        f"ALTER TABLE one.loan OWNER TO {role}",
        f"GRANT ALL ON SCHEMA one TO {role}",
        f"GRANT ALL ON DATABASE {tenants.database} TO {role}",
        f"GRANT SET ON PARAMETER session_replication_role TO {role}",
    )

    def act(connection: Connection) -> None:
        search("one")(connection)
        connection.execute(text(f"SET ROLE {role}"))
        connection.commit()

    await upgrade(make_project(tmp_path / "project"), tenants, act, "002")
    owner = "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'invoicing_rename'"
    assert await fetch(tenants, owner) == role


async def test_a_connection_elsewhere_is_refused_by_name(tenants: URL, tmp_path: Path) -> None:
    """An engine whose connections do not all reach one database: a balancer, a failover."""
    other = f"{tenants.database}_other"
    await execute(tenants, f"CREATE DATABASE {other} TEMPLATE template0")
    places = iter([tenants])

    async def connect() -> asyncpg.Connection:
        return await creator(next(places, tenants.set(database=other)))

    with pytest.raises(UsageError, match=rf"{tenants.database} .* {other} "):
        await upgrade(make_project(tmp_path / "project"), tenants, async_creator=connect)
    assert set((await names(tenants)).values()) == {"fee"}
    await execute(tenants, f"DROP DATABASE {other} WITH (FORCE)")


async def test_a_table_that_the_path_does_not_find_is_refused(tenants: URL, tmp_path: Path) -> None:
    await execute(tenants, "CREATE SCHEMA empty")
    with pytest.raises(UsageError, match="empty"):
        await upgrade(make_project(tmp_path / "project"), tenants, search("empty"))
    assert set((await names(tenants)).values()) == {"fee"}


async def test_a_temporary_table_is_refused(tenants: URL, tmp_path: Path) -> None:
    def shadow(connection: Connection) -> None:
        connection.execute(text("CREATE TEMP TABLE loan AS SELECT 1 AS id, 2::bigint AS fee"))
        connection.commit()

    with pytest.raises(InvoicingError, match=r"temporary|pg_temp"):
        await upgrade(make_project(tmp_path / "project"), tenants, shadow)
    assert set((await names(tenants)).values()) == {"fee"}


async def test_a_table_made_by_the_same_migration_is_found(
    empty_database_url: URL, tmp_path: Path
) -> None:
    rename = '"loan", "fee", "fee_cents", sa.BigInteger()'
    made = "op.execute('CREATE TABLE loan (id int PRIMARY KEY, fee bigint)')"
    config = make_project(tmp_path / "project", (f"{made}; op.expand_rename({rename})", "pass"))
    await upgrade(config, empty_database_url, revision="001")
    query = "SELECT count(*) FROM pg_attribute WHERE attname = 'fee_cents'"
    assert await fetch(empty_database_url, query) == 1


async def test_a_path_that_was_not_committed_is_refused(tenants: URL, tmp_path: Path) -> None:
    def begin(connection: Connection) -> None:
        connection.execute(text("SET search_path TO one"))

    with pytest.raises(UsageError, match="Commit before"):
        await upgrade(make_project(tmp_path / "project"), tenants, begin)
    with pytest.raises((DBAPIError, asyncpg.UndefinedTableError)):
        await fetch(tenants, "SELECT version_num FROM one.alembic_version")
    assert set((await names(tenants)).values()) == {"fee"}
