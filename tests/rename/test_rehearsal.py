"""A rehearsal says what would differ, what could not be rehearsed, and changes nothing."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installations
from invoicing.toolkit.postgres.beside import shared
from invoicing.toolkit.rename import Options, Rename, Target, type_of
from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.rehearsal import plain, scratch
from invoicing.toolkit.rename.rehearsal.dump import dumped
from invoicing.toolkit.rename.rehearsal.rehearse import rehearse
from invoicing.toolkit.rename.rehearsal.statements import ProductionStatement, StatementLooks
from tests.conftest import execute, newest_server_url
from tests.rename.faults import connected

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.rehearsal.report import RehearsalReport
    from invoicing.toolkit.rename.session import RenameSession

server_url = newest_server_url
TARGET = Target("loan", "fee", "fee_cents")
LIBRARY = (
    "CREATE TYPE state AS ENUM ('open', 'paid')",
    "CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%')",
    "CREATE TABLE log (what text, at timestamptz DEFAULT clock_timestamp())",
    (
        "CREATE TABLE member (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " mail email UNIQUE NOT NULL, born date CHECK (born > '1900-01-01'))"
    ),
    (
        "CREATE TABLE loan (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " member bigint NOT NULL REFERENCES member, book text NOT NULL, state state NOT NULL,"
        " fee bigint NOT NULL CHECK (fee >= 0 AND fee < 1000), limits numeric(4, 1)[],"
        " currency char(3) NOT NULL CHECK (currency ~ '^[A-Z]{3}$'), UNIQUE (member, book))"
    ),
    "CREATE INDEX loan_fee ON loan (fee)",
    (
        "CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO log (what) VALUES (TG_OP); RETURN NULL; END $$"
    ),
    "CREATE TRIGGER logged AFTER INSERT OR DELETE ON loan FOR EACH ROW EXECUTE FUNCTION logged()",
)
PARTS = (
    (
        "CREATE TABLE loan (id bigint, day date, fee int NOT NULL, PRIMARY KEY (id, day))"
        " PARTITION BY RANGE (day)"
    ),
    "CREATE TABLE loan_1 PARTITION OF loan FOR VALUES FROM ('2031-01-01') TO ('2031-02-01')",
    "CREATE TABLE loan_2 PARTITION OF loan FOR VALUES FROM ('2031-02-01') TO ('2031-03-01')",
)
ONE_ROOM = (
    "CREATE EXTENSION btree_gist",
    (
        "CREATE TABLE loan (room int NOT NULL, during tstzrange NOT NULL, fee money,"
        " EXCLUDE USING gist (room WITH =, during WITH &&))"
    ),
)


@asynccontextmanager
async def renaming(url: URL, **options: object) -> AsyncIterator[Rename]:
    async with Database(url, Settings()) as database:
        yield Rename(database, TARGET, Options(**options))


async def rehearsed(url: URL, **options: object) -> RehearsalReport:
    async with renaming(url, **options) as rename:
        return await rehearse(rename, rows=60, on_server=True)


@pytest.fixture
async def url(empty_database_url: URL) -> URL:
    await execute(empty_database_url, *LIBRARY)
    return empty_database_url


@pytest.mark.parametrize("strategy", ["columns", "view"])
async def test_a_rename_without_a_difference_is_clean_and_the_real_database_only_read(
    url: URL, strategy: str
) -> None:
    newest = next(find_installations()).bin_dir
    before = await dumped(url, newest)
    report = await rehearsed(url, strategy=strategy)
    assert report.clean, report
    assert report.rows == 60
    assert report.ran > 40
    assert set(report.seconds) == {"expand", "backfill", "rollback", "verify", "contract"}
    assert any("log" in note for note in report.notes), "a moment differs by itself"
    assert await dumped(url, newest) == before
    async with connected(url) as client:
        left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'invoicing_rehearsal%'"
        assert await client.fetchval(left) == 0
        assert await client.fetchval("SELECT count(*) FROM loan") == 0


@pytest.mark.parametrize("statements", [PARTS, ONE_ROOM], ids=["partitions", "exclusion"])
async def test_rows_fit_bounds_and_exclusions(
    empty_database_url: URL, statements: tuple[str, ...]
) -> None:
    await execute(empty_database_url, *statements)
    report = await rehearsed(empty_database_url)
    assert report.clean, report
    assert report.rows == 60


KEYS = {
    "of several": (
        Target("loan", "no", "num"),
        {},
        "CREATE TABLE loan (day date, no int, note text, PRIMARY KEY (day, no))",
    ),
    "alone, quoted": (
        Target("loan", 'a "No"', "the Num"),
        {},
        'CREATE TABLE loan ("a ""No""" int PRIMARY KEY, note text)',
    ),
    "of partitions": (
        Target("loan", "no", "num"),
        {},
        (
            "CREATE TABLE loan (day date, no int, note text, PRIMARY KEY (day, no))"
            " PARTITION BY RANGE (day)"
        ),
        "CREATE TABLE loan_1 PARTITION OF loan FOR VALUES FROM ('2031-01-01') TO ('2031-02-01')",
    ),
    "unique and excluded": (
        Target("loan", "no", "num"),
        {},
        (
            "CREATE TABLE loan (day date, no int, note text, PRIMARY KEY (no, day),"
            " UNIQUE (day, no), EXCLUDE (no WITH =, day WITH =))"
        ),
    ),
    "with a type": (
        type_of("loan", "no"),
        {"type": "bigint"},
        "CREATE TABLE loan (day date, no int, note text, PRIMARY KEY (day, no))",
    ),
    "behind a view": (
        Target("loan", "no", "num"),
        {"strategy": "view"},
        "CREATE TABLE loan (day date, no int, note text, PRIMARY KEY (day, no))",
    ),
}


@pytest.mark.parametrize("kind", KEYS)
async def test_rows_are_found_by_a_key_that_has_the_column(
    empty_database_url: URL, kind: str
) -> None:
    url, (target, options, *statements) = empty_database_url, KEYS[kind]
    await execute(url, *statements)
    async with Database(url, Settings()) as database:
        report = await rehearse(
            Rename(database, target, Options(**options)), rows=60, on_server=True
        )
    assert report.clean, report
    assert report.ran > 40


async def test_what_does_not_keep_the_columns_equal_is_found_by_the_twin(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    expand = ColumnsStrategy.expand

    async def forgetful(self: ColumnsStrategy, session: RenameSession) -> None:
        await expand(self, session)
        await session.connection.execute(f"ALTER TABLE {session.table.sql} DISABLE TRIGGER USER")

    monkeypatch.setattr(ColumnsStrategy, "expand", forgetful)
    report = await rehearsed(url)
    assert not report.clean
    kinds = {(difference.phase, difference.kind) for difference in report.differences}
    assert ("expand", "rows") in kinds
    assert any(kind == "failed" for _, kind in kinds), "the gate sees it, too"


async def test_rows_that_cannot_be_generated_are_said_and_not_clean(
    empty_database_url: URL,
) -> None:
    never = "CREATE TABLE loan (id int, fee text NOT NULL CHECK (md5(fee) LIKE 'abcdef%'))"
    await execute(empty_database_url, never)
    report = await rehearsed(empty_database_url)
    assert report.rows == 0
    assert not report.differences
    assert "no row of" in report.unrehearsed[0]
    assert not report.clean


async def test_what_is_to_run_before_the_contract_is_given_in_full(url: URL) -> None:
    await execute(url, "CREATE VIEW dear AS SELECT id, fee FROM loan WHERE fee > 100")
    report = await rehearsed(url)
    assert not report.differences, report.differences
    assert "fee_cents AS fee" in " ".join(report.to_run[0].split())


async def test_nothing_is_to_run_where_the_contract_renames_the_column_itself(url: URL) -> None:
    await execute(
        url,
        "ALTER TABLE loan ADD twice bigint GENERATED ALWAYS AS (fee * 2) STORED",
        "CREATE VIEW dear AS SELECT id, fee FROM loan WHERE fee > 100",
    )
    report = await rehearsed(url)
    assert not report.differences, report.differences
    assert report.to_run == []


async def test_a_refusal_of_the_plan_is_reported_and_nothing_more_is_done(url: URL) -> None:
    await execute(url, "CREATE TABLE child () INHERITS (loan)")
    report = await rehearsed(url)
    assert [finding.slug for finding in report.refused] == ["inheritance"]
    assert not report.clean
    assert not report.seconds


async def test_statements_of_production_that_fail_or_return_other_columns_are_listed(
    url: URL,
) -> None:
    await execute(
        url,
        "CREATE EXTENSION pg_stat_statements",
        # The server forgets first what is called rarely, and others' tests fill it, too.
        *["SELECT fee FROM loan WHERE id = 3"] * 30,
        *["SELECT * FROM loan WHERE id = 4"] * 30,
        "SELECT id, book FROM loan",
        "SELECT interval '3 days' FROM loan",
        "SELECT FROM loan LIMIT ALL FOR SHARE OF loan",
        # Of a type that the driver cannot read, as pg_dump and monitoring ask for.
        "SELECT most_common_vals FROM pg_stats WHERE tablename = 'loan'",
        "SELECT loan.attmissingval FROM pg_attribute AS loan WHERE loan.attrelid = 1",
    )
    report = await rehearsed(url)
    changes = {change.query: change for change in report.statements}
    assert set(changes) == {
        "SELECT fee FROM loan WHERE id = $1",
        "SELECT * FROM loan WHERE id = $1",
    }
    fails, other = (
        changes.values() if next(iter(changes.values())).fails else [*changes.values()][::-1]
    )
    assert (fails.phase, fails.calls, fails.on_twin) == ("contract", 30, True)
    assert "42703" in fails.change
    assert fails.users == [url.username]
    assert fails.calls_a_day is not None
    assert (other.phase, other.fails) == ("expand", False)
    assert "adds fee_cents" in other.change
    assert not report.unrehearsed
    assert report.looked_at is not None


async def test_a_rename_that_has_begun_is_not_rehearsed(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        with pytest.raises(UsageError, match="it has begun"):
            await rehearse(rename, on_server=True)
        await rename.rollback()


async def test_without_a_pg_dump_the_error_says_what_to_install(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "find_installations", lambda: iter(()))
    monkeypatch.setenv("PATH", "/nonexistent")
    async with renaming(url) as rename:
        with pytest.raises(scratch.NoDumpProgramError, match="postgresql-client-"):
            await rehearse(rename, on_server=True)


async def test_the_server_of_its_own_is_stopped_and_what_it_lacks_is_said(
    url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(
        url,
        "DO $$ BEGIN CREATE ROLE rehearsal_reader; EXCEPTION WHEN duplicate_object THEN END $$",
        "GRANT SELECT (fee) ON loan TO rehearsal_reader",
        f'ALTER DATABASE "{url.database}" SET search_path = public, pg_catalog',
    )
    monkeypatch.setattr(scratch, "home_folder", lambda _: tmp_path)
    async with renaming(url) as rename:
        report = await rehearse(rename, rows=50)
    assert report.clean, report
    assert "a server of its own" in report.server
    (server,) = [path for path in (tmp_path / "rehearsal").iterdir() if path.name.startswith("p")][
        :1
    ]
    assert not (server / "postmaster.pid").exists()


async def test_statements_about_catalogs_are_not_counted(url: URL) -> None:
    queries = ("SELECT fee FROM loan", "SELECT relname FROM pg_class", "TABLE pg_catalog.pg_type")
    statements = [
        ProductionStatement(str(number), query, 1, ["app"], None, None)
        for number, query in enumerate(queries)
    ]
    looks = StatementLooks(statements, ("public", "loan"))
    async with scratch.connected(url) as connection:
        await looks.before(connection)
    assert (looks.judged, looks.unjudged) == (1, [])


async def test_a_lost_connection_says_that_the_real_database_was_only_read(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(*_: object) -> None:
        raise ConnectionResetError("Connection reset by peer")

    monkeypatch.setattr("invoicing.toolkit.rename.rehearsal.rehearse.copy_schema", lose)
    with pytest.raises(scratch.RehearsalInterruptedError, match="was only read") as raised:
        await rehearsed(url)
    assert "batch" not in str(raised.value)


def test_a_server_is_stopped_by_the_last_that_uses_it(tmp_path: Path) -> None:
    with shared(tmp_path / "used") as first:
        with shared(tmp_path / "used") as second:
            assert not second()
        assert first()


KINDS = {
    "wider": (type_of("loan", "fee"), {"type": "bigint"}),
    "a key": (type_of("member", "id"), {"type": "bigint"}),
    "cents": (
        type_of("loan", "price"),
        {"type": "bigint", "using": "round(price * 100)", "back": "price / 100.0"},
    ),
    "with a name": (
        Target("loan", "price", "cents"),
        {"type": "bigint", "using": "round(price * 100)", "back": "cents / 100.0"},
    ),
    "text": (Target("loan", "note", "remark"), {"type": "text"}),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_change_of_the_type_is_judged_by_alter_type(
    empty_database_url: URL, kind: str
) -> None:
    url, (target, options) = empty_database_url, KINDS[kind]
    await execute(
        url,
        "CREATE TABLE member (id serial PRIMARY KEY, name text)",
        "CREATE TABLE loan (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
        " fee int NOT NULL DEFAULT 7 CHECK (fee > -1), price numeric(10, 2) NOT NULL DEFAULT 1.5,"
        " note varchar(20) DEFAULT 'none', member int REFERENCES member)",
        "CREATE INDEX loan_fee ON loan (fee) WHERE fee > 3",
        "CREATE INDEX ON loan (price)",
    )
    async with Database(url, Settings()) as database:
        rename = Rename(database, target, Options(**options))
        report = await rehearse(rename, rows=40, on_server=True)
    assert report.clean, report
    assert report.ran > 20
    assert set(report.seconds) == {"expand", "backfill", "rollback", "verify", "contract"}


async def test_a_conversion_that_differs_from_alter_type_is_found(
    empty_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(empty_database_url, "CREATE TABLE loan (id int PRIMARY KEY, fee int)")
    plainly = plain.retype_plainly

    async def other(*given: Any) -> None:
        await plainly(*given)
        await given[0].execute("UPDATE loan SET fee = fee + 1")

    monkeypatch.setattr("invoicing.toolkit.rename.rehearsal.rehearse.retype_plainly", other)
    async with Database(empty_database_url, Settings()) as database:
        change = Rename(database, type_of("loan", "fee"), Options(type="bigint"))
        report = await rehearse(change, rows=20, on_server=True)
    assert {difference.kind for difference in report.differences} >= {"rows"}
    assert {difference.phase for difference in report.differences} == {"contract"}
