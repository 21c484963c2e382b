"""Whatever an account, a database or a client has set: no write fails, and none is lost.

Settings are the database's own and its account's, so that operator and clients both have them; a
schema of the path's has operators, types and functions of the names that PostgreSQL's own have.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from tests.conftest import execute
from tests.rename.faults import connected
from tests.rename.versions import on_newest

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.connection.pool import Connection

TARGET = Target("bill", "amt", "amount", "public")
# Every `=` is true and every `<>` false; what has the name of PostgreSQL's own is of no use.
EVIL = """
CREATE SCHEMA evil;
DO $$ DECLARE kind text; symbol text; BEGIN
    FOREACH kind IN ARRAY '{int8,int4,text,date,bool,name,oid,tid,public.st}'::text[] LOOP
        FOREACH symbol IN ARRAY '{=,<>}'::text[] LOOP
            EXECUTE format('CREATE FUNCTION evil.%I(%s, %2$s) RETURNS bool LANGUAGE sql'
                ' RETURN %L::bool', 'is ' || symbol, kind, symbol = '=');
            EXECUTE format('CREATE OPERATOR evil.%s (FUNCTION = evil.%I, LEFTARG = %s,'
                ' RIGHTARG = %3$s)', symbol, 'is ' || symbol, kind);
        END LOOP;
    END LOOP;
END $$;
CREATE FUNCTION evil.fail() RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE ''evil''; END';
CREATE FUNCTION evil.nextval(regclass) RETURNS bigint LANGUAGE sql RETURN evil.fail()::bigint;
CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql RETURN evil.fail();
CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql RETURN evil.fail();
CREATE FUNCTION evil.count(bigint) RETURNS bigint LANGUAGE sql RETURN evil.fail()::bigint;
CREATE TYPE evil.int8 AS ENUM ('no');
CREATE TYPE evil.text AS ENUM ('no');
CREATE VIEW evil.pg_class AS SELECT 'no'::pg_catalog.text AS relname;
CREATE VIEW evil.pg_settings AS SELECT 'no'::pg_catalog.text AS name;
"""
# A column's type, its default, and two values of it.
COLUMNS = {
    "enum": ("st", "'a'", "'b'", "'c'"),
    "date": ("date", "'2026-02-01'", "'2026-03-04'", "'2026-05-06'"),
    "timestamptz": ("timestamptz", "'2026-02-01 10:00+02'", "'2026-03-04'", "'2026-05-06'"),
    "interval": ("interval", "'-1 year -2 days +03:00'", "'1 day'", "'-1 mon'"),
    "float": ("float8", "0.1 + 0.2", "1.1", "0.30000000000000001"),
    "money": ("money", "1234.5::money", "2.5::money", "3.5::money"),
    "bytea": ("bytea", r"'\x005c'", r"'\x01'", r"'\x02'"),
    "text": ("text", r"E'a\\b''c'", "'x'", "''"),
    "array": ("text[]", "ARRAY['a', NULL]", "ARRAY['x']", "ARRAY['y', NULL]"),
    "own type of a known name": ("public.int8", "'a'", "'b'", "'c'"),
    "domain with a default": ("dom", None, "2", "3"),
    "bigint": ("bigint", "1", "2", "3"),
}
SETTINGS = {
    "names": {"search_path": "evil, pg_catalog, public"},
    "no path": {"search_path": "''"},
    "printing": {
        "DateStyle": "'SQL, DMY'",
        "IntervalStyle": "sql_standard",
        "TimeZone": "'Asia/Kolkata'",
        "extra_float_digits": "-15",
        "quote_all_identifiers": "on",
        "bytea_output": "escape",
    },
    "parsing": {
        "standard_conforming_strings": "off",
        "backslash_quote": "off",
        "array_nulls": "off",
        "transform_null_equals": "on",
        "xmloption": "document",
        "check_function_bodies": "off",
        "escape_string_warning": "off",
    },
    "transactions": {
        "default_transaction_isolation": "serializable",
        "default_transaction_deferrable": "on",
        "session_replication_role": "replica",
        "exit_on_error": "on",
    },
    "operator only": {
        "default_transaction_read_only": "on",
        "statement_timeout": "100",
        "lock_timeout": "1",
        "idle_in_transaction_session_timeout": "200",
        "idle_session_timeout": "200",
        "transaction_timeout": "200",
        "default_tablespace": "''",
        "client_min_messages": "debug5",
    },
    "plpgsql": {
        "plpgsql.variable_conflict": "use_variable",
        "plpgsql.extra_errors": "'all'",
        "plpgsql.extra_warnings": "'all'",
    },
}
NEUTRAL = {
    "search_path": "public",
    "default_transaction_read_only": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
DEFINITION = """
SELECT format_type(atttypid, atttypmod), atthasdef, pg_get_expr(adbin, adrelid)
FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
WHERE attrelid = $1::text::regclass AND attname = $2
"""


async def make(url: URL, kind: str) -> URL:
    """Make the table with 300 rows, and its twin whose column is simply renamed."""
    type_, default, value, _ = COLUMNS[kind]
    given = f" DEFAULT {default}" if default else ""
    await execute(
        url,
        "CREATE TYPE st AS ENUM ('a', 'b', 'c'); CREATE TYPE int8 AS ENUM ('a', 'b', 'c')",
        "CREATE DOMAIN dom AS integer DEFAULT 7",
        f"CREATE TABLE bill (id pg_catalog.int8 PRIMARY KEY, amt {type_}{given})",
        f"INSERT INTO bill SELECT n, {value} FROM generate_series(1, 300) AS n",
        "CREATE INDEX ix_bill_amt ON bill (id) WHERE amt IS NOT NULL",
        "CREATE TABLE twin (LIKE bill INCLUDING DEFAULTS)",
        "ALTER TABLE twin RENAME amt TO amount",
        EVIL,
    )
    return url


async def hostile(url: URL, group: str) -> None:
    """Set them for everybody: half for the database, half for the account in it."""
    async with connected(url) as connection:
        account = await connection.fetchval("SELECT quote_ident(current_user)")
        for number, (name, value) in enumerate(SETTINGS[group].items()):
            if not await connection.fetchval(
                "SELECT count(*) FROM pg_settings WHERE name = $1 OR $1 ~ '^plpgsql'", name
            ):
                continue
            whose = [f"DATABASE {url.database}", f"ROLE {account} IN DATABASE {url.database}"]
            await connection.execute(f"ALTER {whose[number % 2]} SET {name} = {value}")


def rename_of(database: Database, **options: object) -> Rename:
    usual = {"batch_size": 100, "quiet": 0.1, "lock_timeout": 0.2, "lock_attempts": 3}
    return Rename(database, TARGET, Options(**usual | options))


async def write_by(client: Connection, names: list[str], kind: str, first: int) -> None:
    """Write by each name, by an INSERT and an UPDATE; and an INSERT of neither."""
    number, (_, _, value, other) = first, COLUMNS[kind]
    for name in names:
        await client.execute(f"INSERT INTO public.bill (id, {name}) VALUES ({number}, {value})")
        await client.execute(f"INSERT INTO public.bill (id, {name}) VALUES ({number + 1}, DEFAULT)")
        await client.execute(
            f"UPDATE public.bill SET {name} = {other} WHERE id OPERATOR(pg_catalog.=) {number}"
        )
        number += 2
    await client.execute(f"INSERT INTO public.bill (id) VALUES ({number})")


async def assert_kept(url: URL, names: list[str], kind: str, first: int) -> None:
    """See that each of those writes is there by each name, as the twin has it."""
    type_, _, _, other = COLUMNS[kind]
    async with connected(url, **NEUTRAL) as judge:
        await judge.execute("INSERT INTO twin (id) VALUES (0)")
        [usual] = await judge.fetch("DELETE FROM twin WHERE id = 0 RETURNING amount::text")
        wanted = await judge.fetchval(f"SELECT ({other})::{type_}::text")
        for name in names:
            rows = await judge.fetch(
                f"SELECT {name}::text FROM bill WHERE id / 10 = {first} / 10 ORDER BY id"
            )
            values = [row[0] for row in rows]
            assert values == [*[wanted, usual[0]] * len(names), usual[0]], name


async def cycle(url: URL, kind: str, *clients: dict[str, str]) -> None:
    """Expand, write, roll back; expand, fill, write, verify, contract; restore, and write again.

    Every client writes, each with settings of its own.
    """
    both = ["amt", "amount"]
    async with Database(url, Settings()) as database, AsyncExitStack() as stack:
        writers = [
            (await stack.enter_async_context(connected(url, **settings)), 10 * number)
            for number, settings in enumerate(clients or [{}])
        ]

        async def write(first: int) -> None:
            for client, more in writers:
                await write_by(client, both, kind, first + more)

        async def kept(first: int) -> None:
            for _, more in writers:
                await assert_kept(url, both, kind, first + more)

        rename = rename_of(database)
        await rename.expand()
        await write(1_000)
        await kept(1_000)
        await rename.rollback()
        await rename.expand()
        assert (await rename.backfill()).rows_updated >= 300
        await write(2_000)
        assert (await rename.verify()).ok
        assert (await rename.status()).rows_total
        await rename.contract(confirm="bill.amt")
        async with connected(url, **NEUTRAL) as judge:
            plain = await judge.fetchrow(DEFINITION, "twin", "amount")
            assert await judge.fetchrow(DEFINITION, "bill", "amount") == plain
        assert (await rename.restore()).completed
        await write(3_000)
        await kept(3_000)


async def test_no_setting_of_accounts_and_databases_costs_a_write(empty_database_url: URL) -> None:
    """The other groups are set for each type of a column below."""
    url = await make(empty_database_url, "enum")
    for group in ("no path", "transactions", "plpgsql"):
        await hostile(url, group)
    await cycle(url, "enum")


async def test_no_setting_of_one_client_costs_it_a_write(empty_database_url: URL) -> None:
    url = await make(empty_database_url, "enum")
    clients = [
        {name: value.strip("'") or '""' for name, value in SETTINGS[group].items()}
        for group in ("names", "no path", "printing", "parsing")
    ]
    await cycle(url, "enum", *clients)


@pytest.mark.parametrize("groups", [("names", "printing"), ("no path",)], ids=["names", "no path"])
async def test_a_view_in_the_tables_place_takes_every_write_as_well(
    empty_database_url: URL, groups: tuple[str, ...]
) -> None:
    url = await make(empty_database_url, "enum")
    for group in groups:
        await hostile(url, group)
    async with Database(url, Settings()) as database, connected(url) as client:
        rename = rename_of(database, strategy="view", accept=frozenset({"null-default"}))
        await rename.expand()
        for number, name in enumerate(["amt", "amount"], 1_000):
            await client.execute(f"INSERT INTO public.bill (id, {name}) VALUES ({number}, 'c')")
            await client.execute(f"UPDATE public.bill SET {name} = 'b'")
        await client.execute("INSERT INTO public.bill (id) VALUES (1002)")
        await rename.backfill()
        await rename.verify()
        assert (await rename.status()).old_writes == 2
        await rename.contract(confirm="bill.amt")
    async with connected(url, **NEUTRAL) as judge:
        assert await judge.fetch(
            "SELECT amount::text, count(*) FROM bill GROUP BY 1 ORDER BY 1"
        ) == [
            ("a", 1),
            ("b", 302),
        ]


async def test_a_table_is_found_where_the_operators_path_leads(bare_url: URL) -> None:
    await execute(
        bare_url,
        "CREATE SCHEMA tenant; CREATE TABLE tenant.bill (id int PRIMARY KEY, amt int)",
        "CREATE TABLE public.bill (id int PRIMARY KEY, amt int)",
        f"ALTER DATABASE {bare_url.database} SET search_path = nowhere, tenant, public",
    )
    async with Database(bare_url, Settings()) as database:
        rename = Rename(database, Target("bill", "amt", "amount"))
        await rename.expand()
        assert (await rename.status()).phase is Phase.EXPANDED
    async with connected(bare_url) as judge:
        columns = await judge.fetch(
            "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'amount'"
        )
    assert [row[0] for row in columns] == ["bill"]


OWN_CODE = """
CREATE TABLE note (said text);
CREATE TABLE allowed (least int); INSERT INTO allowed VALUES (0);
CREATE FUNCTION may_be(int) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RETURN $1 >= (SELECT min(least) FROM allowed); END';
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO note VALUES (TG_OP); RETURN NEW; END';
CREATE FUNCTION noted_ddl() RETURNS event_trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO note VALUES (tg_tag); END';
CREATE TABLE bill (id int PRIMARY KEY, amt int CHECK (may_be(amt)));
INSERT INTO bill SELECT n, n FROM generate_series(1, 10) AS n;
CREATE TRIGGER noted BEFORE UPDATE ON bill FOR EACH ROW EXECUTE FUNCTION noted();
ALTER TABLE bill ENABLE ALWAYS TRIGGER noted;
CREATE EVENT TRIGGER noted_ddl ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'CREATE TRIGGER',
    'CREATE SCHEMA', 'CREATE FUNCTION') EXECUTE FUNCTION noted_ddl();
"""


async def test_the_tables_own_code_finds_what_it_names_without_a_schema(
    empty_database_url: URL,
) -> None:
    url = empty_database_url
    await execute(url, OWN_CODE)
    async with Database(url, Settings()) as database:
        rename = rename_of(database, accept=frozenset({"update-trigger"}))
        await rename.expand()
        assert (await rename.backfill()).rows_updated == 10
        assert (await rename.verify()).ok
    async with connected(url) as judge:
        assert await judge.fetchval("SELECT count(*) FROM note WHERE said = 'UPDATE'") == 10
        assert await judge.fetchval("SELECT count(*) FROM note WHERE said = 'CREATE TRIGGER'") > 0


async def test_no_limit_of_the_operators_account_ends_a_phase(empty_database_url: URL) -> None:
    url = await make(empty_database_url, "bigint")
    await hostile(url, "operator only")
    await cycle(url, "bigint", NEUTRAL)


# How a value is printed does not differ from one version to the next.
@on_newest("kind", COLUMNS, on_all=("enum", "own type of a known name", "domain with a default"))
async def test_no_default_is_read_as_something_else(empty_database_url: URL, kind: str) -> None:
    url = await make(empty_database_url, kind)
    for group in ("names", "printing", "parsing"):
        await hostile(url, group)
    await cycle(url, kind)
