"""The operations in projects of any driver, sync or async, made by `alembic init`."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pg8000.dbapi
import psycopg
import pytest
from alembic import command
from sqlalchemy import create_engine, text

from invoicing.errors import UsageError
from invoicing.toolkit.rename.alembic.drivers import place_of
from tests.conftest import execute, fresh_database
from tests.migrations.foreign import ForeignProject, make_foreign
from tests.migrations.loans import ROWS, SUM, TABLE
from tests.migrations.project import RENAME, REVISION, make_project

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from sqlalchemy.engine import URL

DRIVERS = {
    "psycopg": "generic",
    "psycopg2": "generic",
    "pg8000": "generic",
    "psycopg_async": "async",
    "asyncpg": "async",
}
QUICK = ("-x", "confirm=loan.fee", "-x", "quiet=0", "-x", "batch_size=50")


@pytest.fixture
async def url(newest_server_url: URL) -> AsyncIterator[URL]:
    """Yield a database with loans, as they are before the rename."""
    async with fresh_database(newest_server_url) as made:
        await execute(made, *TABLE[:2])
        yield made


def of_driver(url: URL, driver: str) -> URL:
    """Return the URL as a driver takes it."""
    url = url.set(drivername=f"postgresql+{driver}")
    if driver == "pg8000" and "host" in url.query:
        path = f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"
        url = url.set(query={"unix_sock": path})
    return url


def project_of(folder: Path, url: URL, driver: str) -> ForeignProject:
    """Make the project of a driver, with three revisions written by hand."""
    project = make_foreign(folder / "library", of_driver(url, driver), DRIVERS[driver])
    for number, (up, back) in enumerate(RENAME, 1):
        down = f'"{number - 1:03}"' if number > 1 else None
        text = REVISION.format(revision=f"{number:03}", down=down, up=up, back=back)
        (project.versions / f"{number:03}.py").write_text(text)
    return project


def asked(url: URL, query: str) -> object:
    """Ask the database by a driver that needs no loop: env.py may run one."""
    place = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place, autocommit=True) as connection:
        return connection.execute(query).fetchone()[0]


COLUMNS = (
    "SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute"
    " WHERE attrelid = 'loan'::regclass AND attname ~ '^fee'"
)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_rename_goes_there_and_back_on_any_driver(url: URL, tmp_path: Path, driver: str) -> None:
    project = project_of(tmp_path, url, driver)
    said = project.alembic("upgrade", "002")
    assert asked(url, COLUMNS) == "fee fee_cents", said
    assert asked(url, "SELECT count(*) FROM loan WHERE fee = fee_cents") == ROWS
    refused = project.alembic("upgrade", "head", code=1)
    assert "confirm=loan.fee" in refused
    assert len(refused.strip().splitlines()) <= 12, refused
    project.alembic(*QUICK, "upgrade", "head")
    assert asked(url, COLUMNS) == "fee_cents"
    project.alembic(*QUICK, "downgrade", "001")
    assert asked(url, COLUMNS) == "fee"
    project.alembic(*QUICK, "upgrade", "head")
    assert asked(url, "SELECT sum(fee_cents) FROM loan") == SUM


def in_schema_two(url: URL) -> None:
    """Put a second loan in a schema that only a search path finds first."""
    place = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA two")
        connection.execute("CREATE TABLE two.loan (id serial PRIMARY KEY, fee bigint NOT NULL)")
        connection.execute("INSERT INTO two.loan (fee) SELECT generate_series(1, 10)")


def folder_of(url: URL) -> dict[str, Any]:
    return {"host": url.query["host"], "port": int(url.query.get("port", 5432))}


PATH = {"connect_args": {"options": "-csearch_path=two"}}
ENGINES: dict[str, Callable[[URL], tuple[URL, dict[str, Any]]]] = {
    "psycopg, options": lambda url: (of_driver(url, "psycopg"), PATH),
    "psycopg2, options": lambda url: (of_driver(url, "psycopg2"), PATH),
    "psycopg2, database in connect_args": lambda url: (
        of_driver(url.set(database="postgres"), "psycopg2"),
        {"connect_args": PATH["connect_args"] | {"dbname": url.database}},
    ),
    "psycopg, creator": lambda url: (
        url.set(drivername="postgresql+psycopg", database="nowhere", query={}),
        {
            "creator": lambda: psycopg.connect(
                dbname=url.database, user=url.username, **folder_of(url), **PATH["connect_args"]
            )
        },
    ),
    "pg8000, creator": lambda url: (
        url.set(drivername="postgresql+pg8000", database="nowhere", query={}),
        {
            "creator": lambda: pg8000.dbapi.connect(
                url.username,
                database=url.database,
                unix_sock=of_driver(url, "pg8000").query["unix_sock"],
                startup_params=PATH["connect_args"],
            )
        },
    ),
}


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_its_connections_are_where_the_migrations_connection_is(
    url: URL, tmp_path: Path, engine: Callable[[URL], tuple[URL, dict[str, Any]]]
) -> None:
    in_schema_two(url)
    address, arguments = engine(url)
    made = create_engine(address, **arguments)
    config = make_project(tmp_path / "project")
    with made.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "003")
    made.dispose()
    assert asked(url, COLUMNS) == "fee"
    assert asked(url, COLUMNS.replace("loan", "two.loan")) == "fee_cents"
    assert asked(url, "SELECT version_num FROM two.alembic_version") == "003"


def test_the_tenants_path_counts_for_code_of_the_database(url: URL, tmp_path: Path) -> None:
    """A trigger that names a table of the tenant's works while the rename writes its rows."""
    in_schema_two(url)
    made = create_engine(of_driver(url, "psycopg"))
    body = "BEGIN PERFORM 1 FROM tenant_only; RETURN NEW; END"
    config = make_project(tmp_path / "project")
    with made.connect() as connection:
        for statement in (
            "CREATE TABLE two.tenant_only (id int)",
            f"CREATE FUNCTION two.look() RETURNS trigger LANGUAGE plpgsql AS '{body}'",
            "CREATE TRIGGER t BEFORE UPDATE ON two.loan FOR EACH ROW EXECUTE FUNCTION two.look()",
            "SET search_path TO two",
        ):
            connection.execute(text(statement))
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, "002")
    made.dispose()
    assert asked(url, "SELECT count(*) FROM two.loan WHERE fee = fee_cents") == 10


def libpq(password: str | None = None, **parameters: str) -> Any:
    """Return a connection of psycopg with such parameters."""
    info = SimpleNamespace(get_parameters=lambda: parameters, password=password)
    driver = SimpleNamespace(driver_connection=SimpleNamespace(info=info))
    return SimpleNamespace(connection=driver, dialect=SimpleNamespace(driver="psycopg"))


def test_tls_and_the_password_are_those_of_the_connection(tmp_path: Path) -> None:
    root = tmp_path / "root.pem"
    root.touch()
    place = place_of(
        libpq(
            "p@s s/%",
            host="db.example",
            hostaddr="10.0.0.1",  # as psycopg adds it
            port="6000",
            user="u",
            dbname="d",
            sslmode="verify-full",
            sslrootcert=str(root),
            client_encoding="LATIN1",
        )
    )
    url = place.url
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "u",
        "p@s s/%",
        "db.example",
        6000,
        "d",
    )
    assert dict(url.query) == {"sslmode": "verify-full", "sslrootcert": str(root)}


def test_what_asyncpg_cannot_do_is_refused_and_never_weakened() -> None:
    with pytest.raises(UsageError, match=r"migration's connection has .*'channel_binding'"):
        place_of(libpq(host="h", user="u", dbname="d", channel_binding="require"))


def interrupt_once_begun(url: URL) -> None:
    """Press Ctrl-C once the backfill has begun."""
    for _ in range(600):
        time.sleep(0.05)
        with suppress(psycopg.errors.UndefinedColumn):
            if asked(url, "SELECT count(fee_cents) FROM loan"):
                break
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_ctrl_c_ends_the_command_in_one_line_and_it_goes_on_later(
    url: URL, tmp_path: Path, driver: str, request: pytest.FixtureRequest
) -> None:
    # A shell lets what it runs in the background ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    project = project_of(tmp_path, url, driver)
    threading.Thread(target=interrupt_once_begun, args=[url]).start()
    said = project.alembic("-x", "batch_size=1", "-x", "pause=0.05", "upgrade", "002", code=1)
    assert "stopped by Ctrl-C" in said
    assert "Traceback" not in said
    filled = asked(url, "SELECT count(fee_cents) FROM loan")
    assert 0 < filled < ROWS
    project.alembic("upgrade", "002")
    assert asked(url, "SELECT count(fee_cents) FROM loan") == ROWS
