"""A URL means to us what it means to psql, or it is refused by the name of what we cannot do."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from invoicing.cli import db
from invoicing.db import Database, libpq_url, parse_url
from invoicing.db.url import hosts_of, socket_url
from invoicing.errors import DatabaseUnavailableError, UsageError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation
from tests.cli.here import run_apart
from tests.conftest import server_names
from tests.db.listening import ASKED, ODD_DATABASE, PASSWORD, Listening, listening, seen

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not shutil.which("openssl") or not shutil.which("psql"),
    reason="no openssl, or no psql to judge",
)
SECRET = quote(PASSWORD, safe="")
ODD = quote(ODD_DATABASE, safe="")
REPEAT = 40


@pytest.fixture(scope="module", params=[name for name in server_names() if name.isdigit()])
def server(request: pytest.FixtureRequest) -> Iterator[Listening]:
    """Yield a server that listens on 127.0.0.1 and on a socket."""
    with listening(find_installation(int(request.param))) as server:
        yield server


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "5")
    monkeypatch.setenv("PGAPPNAME", "judge")
    for name in (
        "PGHOST",
        "PGPORT",
        "PGUSER",
        "PGDATABASE",
        "PGPASSWORD",
        "PGSERVICE",
        "PGOPTIONS",
    ):
        monkeypatch.delenv(name, raising=False)


async def assert_as_psql(
    server: Listening, url: str, monkeypatch: pytest.MonkeyPatch, **environment: str
) -> str | None:
    """Assert that we see through `url` what psql sees; return that, None for no connection."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    expected = server.judged(url, environment)
    try:
        found = await seen(url)
    except DatabaseUnavailableError:
        found = None
    except UsageError:
        assert expected is None, url
        return None
    assert found == expected, url
    zone = {name: value for name, value in environment.items() if name == "PGTZ"}
    assert server.judged(libpq_url(parse_url(url), password=True), zone) == expected
    return found


def random_url(rng: random.Random, server: Listening) -> str:
    """Return a URL of the server in one of the ways that libpq knows."""
    sockets = quote(str(server.folder / "sockets"), safe="")
    tcp = f"127.0.0.1:{server.port}"
    place = rng.choice(
        [tcp, f"localhost:{server.port}", f"{sockets}:{server.port}", f"127.0.0.1:1,{tcp}", ""]
    )
    login = rng.choice([f"reader:{SECRET}@", f"an%20odd%40role:{SECRET}@", "reader@", "postgres@"])
    path = rng.choice(["", "/", "/postgres", f"/{ODD}", "/reader", "/missing"])
    choices = {
        "options": [
            "-csearch_path%3Dtenant",
            "-c%20search_path=tenant%2Cpublic",
            "--search-path%3Dtenant",
            "-c%20statement_timeout%3D7s",
            "-c%20search_path%3Da%5C%20b",
        ],
        "application_name": ["a%20b", "x+y", ""],
        "fallback_application_name": ["other"],
        "sslmode": ["disable", "allow", "prefer", "require", "verify-full", "nonsense"],
        "sslrootcert": [quote(str(server.folder / "server.crt"))],
        "target_session_attrs": ["any", "read-write", "primary", "standby", "prefer-standby"],
        "connect_timeout": ["3", "soon"],
        "keepalives_idle": ["10"],
        "dbname": ["postgres", ODD],
        "conect_timeout": ["3"],
        "channel_binding": ["prefer", "disable"],
        "gssencmode": ["disable"],
    }
    chosen = rng.sample(sorted(choices), rng.choice([0, 0, 1, 1, 2, 3]))
    given = [f"{name}={rng.choice(choices[name])}" for name in chosen]
    if not place:
        given += [f"host={sockets}", f"port={server.port}"]
    scheme = rng.choice(["postgresql", "postgres"])
    return f"{scheme}://{login}{place}{path}{'?' if given else ''}{'&'.join(given)}"


async def test_generated_urls_open_what_psql_opens(
    server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(20261126)
    opened = [
        await assert_as_psql(server, random_url(rng, server), monkeypatch) for _ in range(REPEAT)
    ]
    assert sum(found is not None for found in opened) > REPEAT // 5


@pytest.mark.broad
@pytest.mark.parametrize(
    "pattern",
    [
        "host={sockets} port={port} user=postgres dbname='odd/db ä+?'",
        r"host = '{sockets}' port={port} user=reader password='it''s' dbname=postgres",
        "port={port} host={sockets} user=an\\ odd@role dbname=postgres options='-c search_path=a'",
        "postgresql://postgres@/?dbname=postgres&host={sockets}&port={port}",
        "postgresql://x@nowhere.invalid/y?host=/z&host={sockets}&port={port}&user=postgres&user=reader",
        "host=/missing host={sockets} port=1 port={port} user=x user=postgres dbname=postgres",
        "postgresql://reader:{secret}@127.0.0.1:{port}/postgres?sslmode=verify-full&ssl=true",
        "postgresql://postgres@nowhere.invalid/postgres?hostaddr=127.0.0.1&port={port}",
        "postgresql://reader:{secret}@localhost/?hostaddr=127.0.0.1&port={port}",
        "postgresql://reader:{secret}@localhost:{port}/?sslmode=verify-full&sslrootcert={root}",
        "postgresql://reader:{secret}@127.0.0.1:{port}/?sslmode=verify-full&sslrootcert={root}",
        "postgresql://reader:{secret}@127.0.0.1:{port}/?sslmode=verify-ca&sslrootcert={root}",
        "postgresql://reader:{secret}@127.0.0.1:{port}/?ssl=true",
        "postgresql://reader:{secret}@127.0.0.1:{port}/?ssl_min_protocol_version=TLSv1.3",
    ],
)
async def test_a_written_connection_string_opens_what_psql_opens(
    pattern: str, server: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = pattern.format(
        sockets=server.folder / "sockets",
        port=server.port,
        secret=SECRET,
        root=server.folder / "server.crt",
    )
    await assert_as_psql(server, url, monkeypatch)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("postgresql://?service=mine", {}),
        ("postgresql:///postgres?service=mine", {"PGUSER": "reader"}),
        ("service=mine", {"PGDATABASE": "postgres"}),
        ("postgresql://", {"PGSERVICE": "mine"}),
        ("postgresql://?service=none", {}),
        ("postgresql://?service=broken", {}),
        ("postgresql://?service=password", {}),
        ("postgresql://postgres@", {"PGHOST": "{sockets}", "PGPORT": "{port}"}),
        ("postgresql://?service=mine", {"PGOPTIONS": "-c search_path=tenant", "PGAPPNAME": "x"}),
        ("postgresql://?service=mine", {"PGTZ": "Asia/Tokyo"}),
        (
            "postgresql://reader@127.0.0.1/",
            {"PGPORT": "{port}", "PGPASSWORD": PASSWORD, "PGSSLMODE": "require"},
        ),
        ("postgresql://reader@localhost:{port}/", {"PGPASSFILE": "{folder}/pgpass"}),
        ("postgresql://reader@127.0.0.1:{port}/", {"PGPASSFILE": "{folder}/pgpass"}),
        ("postgresql://reader@/?service=two", {"PGPASSFILE": "{folder}/pgpass"}),
    ],
)
async def test_services_password_files_and_the_environment_count_as_they_do_for_psql(
    url: str,
    environment: dict[str, str],
    server: Listening,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sockets = server.folder / "sockets"
    services = server.folder / "services.conf"
    services.write_text(
        f"# ours\n[mine]\nhost={sockets}\nport={server.port}\nuser=postgres\n"
        f"dbname={ODD_DATABASE}\noptions=-c statement_timeout=9s\n\n"
        f"[two]\nhost=127.0.0.1,localhost\nport=1,{server.port}\ndbname=reader\n"
        "[broken]\nhots=x\n"
        f"[password]\nhost=127.0.0.1\nport={server.port}\nuser=reader\npassword={PASSWORD}\n"
    )
    passwords = server.folder / "pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passwords.write_text(
        f"# who\n127.0.0.1:{server.port}:*:reader:wrong\nlocalhost:*:reader:reader:{escaped}\n"
    )
    passwords.chmod(0o600)
    filled = {
        name: value.format(sockets=sockets, port=server.port, folder=server.folder)
        for name, value in environment.items()
    }
    filled["PGSERVICEFILE"] = str(services)
    await assert_as_psql(server, url.format(port=server.port), monkeypatch, **filled)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("channel_binding=require", "channel_binding"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("gssencmode=require", "gssencmode"),
        ("requirepeer=postgres", "requirepeer"),
        ("sslpassword=s3cret", "sslpassword"),
        ("client_encoding=LATIN1", "client_encoding"),
        ("aplication_name=x", "application_name"),
        ("sslmode=verify_full", "sslmode"),
        ("sslrootcert=system&sslmode=require", "sslrootcert"),
        ("sslnegotiation=direct", "sslnegotiation"),
        ("target_session_attrs=master", "target_session_attrs"),
        ("sslrootcert=/missing/root.crt", "/missing/root.crt"),
        ("application_name=%00", "NUL"),
        ("options=-csearch_path=x", "options"),
        ("hostaddr=127.0.0.1&sslmode=verify-full", "hostaddr"),
        ("application_name=50%", "%25"),
    ],
)
def test_what_cannot_be_followed_is_refused_by_name(query: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        Database(f"postgresql://u:s3cret@h/d?{query}", Settings())
    assert name in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("variable", "value"), [("PGCHANNELBINDING", "require"), ("PGSSLMODE", "bogus")]
)
def test_a_variable_that_cannot_be_followed_is_refused_by_its_name(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=variable):
        parse_url("postgresql://u@h/d")


@pytest.mark.parametrize("attributes", ["read-write", "primary", "any", "prefer-standby"])
async def test_a_read_only_session_finds_the_server_that_is_wanted(
    attributes: str, server: Listening
) -> None:
    url = f"postgresql://postgres@/postgres?host=/nowhere,{server.folder}/sockets"
    url += f"&port=1,{server.port}&target_session_attrs={attributes}"
    async with Database(url, Settings()) as database:
        assert await database.server_version()
        with pytest.raises(Exception, match="read-only transaction"):
            async with database.read_only() as session:
                await (await session.connection()).exec_driver_sql("CREATE TABLE t ()")


async def test_a_primary_is_not_taken_for_a_read_only_server(server: Listening) -> None:
    url = f"postgresql://postgres@/postgres?host={server.folder}/sockets&port={server.port}"
    async with Database(f"{url}&target_session_attrs=read-only", Settings()) as database:
        with pytest.raises(DatabaseUnavailableError, match="the server is not read-only, which"):
            await database.server_version()


def test_a_parsed_url_is_not_led_elsewhere_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGSERVICE", "of-another-program")
    url = parse_url(socket_url("/run/mine", 5432, "postgres", "invoicing"))
    assert hosts_of(url) == [("/run/mine", "", 5432)]
    assert "hostaddr=" in libpq_url(url, password=False)


def test_a_url_without_its_password_is_one_that_psql_takes(server: Listening) -> None:
    url = f"postgresql://reader:{SECRET}@127.0.0.1:{server.port}/?options=-c%20search_path%3Dtenant"
    printed = libpq_url(parse_url(url), password=False)
    assert server.judged(printed, {"PGPASSWORD": PASSWORD}) == server.judged(url, {})


@pytest.mark.parametrize("parameters", ["", "?sslmode=require", "?sslmode=disable"])
def test_db_psql_speaks_tls_where_another_psql_does(server: Listening, parameters: str) -> None:
    url = f"postgresql://reader:{SECRET}@127.0.0.1:{server.port}/postgres{parameters}"
    done = run_apart(os.environ | {"DATABASE_URL": url}, "db", "psql", "-XAtwc", ASKED)
    assert (done.stdout.strip() or None) == server.judged(url, {}), done.stderr


def test_db_psql_without_tls_is_refused_where_tls_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(db, "find_psql", lambda *, tls: ("/a/psql", not tls))
    url = "postgresql://reader@127.0.0.1/postgres"
    with pytest.raises(UsageError, match="sslmode=require cannot be kept"):
        db._psql_for(parse_url(f"{url}?sslmode=require"))
    assert db._psql_for(parse_url(url)) == "/a/psql"
    assert "not be encrypted" in capsys.readouterr().err
    assert db._psql_for(parse_url("postgresql://reader@/postgres?host=/run/x")) == "/a/psql"
    assert capsys.readouterr().err == ""
