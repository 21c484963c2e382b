"""Types and expressions that no rename can use, and what cannot follow the values, in the plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Phase, Rename, Target
from invoicing.toolkit.rename.errors import RenameBlockedError, RenameRefusedError
from invoicing.toolkit.rename.names import quote
from tests.conftest import execute
from tests.rename.bills import renaming, verified
from tests.rename.faults import connected
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename.model import Plan

CENTS = {"type": "bigint", "using": "round(amt * 100)", "back": "amount_cents / 100.0"}


@pytest.fixture
async def server_url(newest_server_url: URL) -> URL:
    """Return the newest server: what is refused are types, which every version has."""
    return newest_server_url


@pytest.fixture
async def table(empty_database_url: URL) -> URL:
    """Return a database with a table, and functions that an expression may name."""
    await execute(
        empty_database_url,
        "CREATE TABLE bill (id int PRIMARY KEY, amt numeric(10,2) NOT NULL DEFAULT 5, qty int)",
        "INSERT INTO bill VALUES (1, 1.25, 1)",
        "CREATE FUNCTION noisy(numeric) RETURNS bigint LANGUAGE sql AS 'SELECT $1::bigint'",
        "CREATE FUNCTION calm(numeric) RETURNS bigint IMMUTABLE LANGUAGE sql"
        " AS 'SELECT ($1 * 100)::bigint'",
        "CREATE FUNCTION secret(numeric) RETURNS bigint IMMUTABLE LANGUAGE sql"
        " AS 'SELECT ($1 * 100)::bigint'",
        "REVOKE EXECUTE ON FUNCTION secret FROM PUBLIC",
        "CREATE FUNCTION several(numeric) RETURNS SETOF bigint IMMUTABLE LANGUAGE sql"
        " AS 'SELECT $1::bigint'",
    )
    return empty_database_url


EXPRESSIONS = {
    "random()::bigint": "immutable",
    "amt * random()": "immutable",
    "noisy(amt)": "immutable",
    "extract(epoch FROM now()) + amt": "immutable",
    "(SELECT amt)": "subquery",
    "(SELECT max(amt) FROM bill)": "subquery",
    "max(amt)": "aggregate",
    "row_number() OVER (ORDER BY amt)": "window",
    "several(amt)": "set",
    "amt + qty": '"qty"',
    "5": "no column",
    "amount_cents": "does not exist",
    "amt, qty": "syntax",
    "amt), (qty": "more than one value",
    "amt) UNION SELECT (1": "",
    "amt) FROM bill; DROP TABLE bill; --": "",
    "amt); DROP TABLE bill; SELECT (1": "multiple commands",
    "amt) STORED, DROP COLUMN id, ADD COLUMN z int GENERATED ALWAYS AS (1": "syntax",
    "bill": "",
    "ctid": "",
    "'x' || amt": "type",
    "$1": "",
    "": "syntax",
    "secret(amt)": "secret(numeric)",
}


async def refusal_of(table: URL, **options: Any) -> str:
    """Return what the plan and the expand say, in lower case and of the old column."""
    said = set()
    async with renaming(table, **options) as rename:
        for phase in (rename.plan, rename.expand):
            with pytest.raises(UsageError, match="Nothing was changed") as raised:
                await phase()
                pytest.fail(str(options))
            said.add(str(raised.value).replace("amount_cents", "amt").lower())
        assert (await rename.status()).phase is Phase.NONE
    (message,) = said
    return message


async def test_an_expression_that_is_none_of_the_column_alone_is_refused(table: URL) -> None:
    for text, said in EXPRESSIONS.items():
        message = await refusal_of(table, type="bigint", using=text)
        assert said.lower() in message, (text, message)
        if "amount_cents" not in text and text != "'x' || amt":
            back = text.replace("amt", "amount_cents")
            message = await refusal_of(table, type="bigint", back=back)
            assert said.lower() in message, (back, message)
    async with connected(table) as connection:
        assert await connection.fetchval("SELECT amt FROM bill WHERE id = 1")


async def test_a_comment_after_an_expression_is_no_part_of_it(table: URL) -> None:
    async with renaming(table, type="bigint", using="amt -- as it is") as rename:
        assert not (await rename.plan()).refusals


TYPES = {
    "bigserial": "does not exist",
    "nonsense": "does not exist",
    "bigint NOT NULL": "syntax",
    "bigint); DROP TABLE bill; --": "syntax",
    "bigint DEFAULT 1": "syntax",
    "date": "none into the other",
    "SETOF bigint": "",
}


async def test_what_is_no_type_that_the_values_can_have_is_refused(table: URL) -> None:
    for text, said in TYPES.items():
        message = await refusal_of(table, type=text)
        assert said.lower() in message, (text, message)


@pytest.mark.parametrize(
    "options",
    [
        {"using": "amt * 2"},
        {"back": "amount_cents"},
        {"loss": "gate"},
        CENTS | {"strategy": "view"},
    ],
    ids=str,
)
async def test_options_that_do_not_belong_together_are_refused(
    table: URL, options: dict[str, Any]
) -> None:
    async with renaming(table, **options) as rename:
        with pytest.raises(UsageError, match="--type"):
            await rename.plan()


DEPENDENTS = {
    "check": ("ALTER TABLE bill ADD CONSTRAINT small CHECK (amt < 1000)", CENTS, "small"),
    "check of another type": (
        "ALTER TABLE bill ADD CONSTRAINT small CHECK (amt < 1000)",
        {"type": "text", "back": "amount_cents::numeric"},
        "small",
    ),
    "condition": ("CREATE INDEX dear ON bill (id) WHERE amt > 100", CENTS, "dear"),
    "expression": ("CREATE INDEX half ON bill ((amt / 2))", CENTS, "half"),
    "operator class": (
        (
            "ALTER TABLE bill ALTER amt DROP DEFAULT, ALTER amt TYPE text;"
            " CREATE INDEX plain ON bill (amt text_pattern_ops)"
        ),
        {"type": "numeric", "using": "amt::numeric", "back": "amount_cents::text"},
        "plain",
    ),
    "foreign key": (
        "ALTER TABLE bill ADD CONSTRAINT of_price FOREIGN KEY (amt) REFERENCES price (amt)",
        CENTS,
        "of_price",
    ),
    "incomparable key": (
        "ALTER TABLE bill ADD CONSTRAINT of_price FOREIGN KEY (amt) REFERENCES price (amt)",
        {"type": "text", "back": "amount_cents::numeric"},
        "of_price",
    ),
    "default": ("ALTER TABLE bill ALTER amt SET DEFAULT extract(day FROM now())", CENTS, "default"),
    "domain": ("SELECT", {"type": "whole"}, "domain"),
    "array of json": (
        "ALTER TABLE bill DROP COLUMN amt, ADD amt json[]",
        {"type": "text[]", "back": "amount_cents::json[]"},
        "no equality",
    ),
    "the same type": ("SELECT", {"type": "numeric(10,2)"}, "already"),
    "primary key": (
        "ALTER TABLE bill DROP CONSTRAINT bill_pkey, ADD PRIMARY KEY (amt)",
        {"type": "numeric"},
        "primary key",
    ),
}


@pytest.mark.parametrize("case", DEPENDENTS)
async def test_what_cannot_follow_the_values_is_refused_by_its_name(table: URL, case: str) -> None:
    statement, options, named = DEPENDENTS[case]
    await execute(
        table,
        "CREATE DOMAIN whole AS bigint CHECK (VALUE > 0)",
        "CREATE TABLE price (amt numeric PRIMARY KEY)",
        "INSERT INTO price VALUES (1.25)",
        statement,
    )
    async with renaming(table, **options) as rename:
        refusals = (await rename.plan()).refusals
        assert any(named in str(refusal) for refusal in refusals), refusals
        assert not any("--strategy view" in str(refusal) for refusal in refusals)
        with pytest.raises(RenameRefusedError):
            await rename.expand()
        assert (await rename.status()).phase is Phase.NONE


async def test_what_is_of_other_columns_too_follows(table: URL) -> None:
    await execute(
        table,
        "CREATE INDEX part ON bill (amt) WHERE qty > 1",
        "ALTER TABLE bill ADD CONSTRAINT apart UNIQUE (amt, qty)",
    )
    async with renaming(table, **CENTS | {"using": "calm(amt)"}) as rename:
        assert not (await rename.plan()).refusals
        await rename.expand()
        await rename.backfill()
        assert (await rename.verify()).ok


async def test_the_plan_says_what_is_not_reversible_and_what_a_sequence_ends_at(
    table: URL,
) -> None:
    await execute(table, "CREATE TABLE visit (id bigint, amt serial)")
    async with renaming(table, table="visit", type="bigint") as rename:
        found = {finding.slug: str(finding) for finding in (await rename.plan()).findings}
    assert "Not reversible" in found["conversion"]
    assert "becomes bigint" in found["sequence-type"]


async def test_a_rename_that_was_begun_keeps_its_conversion(table: URL) -> None:
    async with renaming(table, **CENTS) as rename:
        await rename.expand()
        await rename.expand()
        assert any("becomes bigint" in note for note in (await rename.status()).notes)
    async with renaming(table, **CENTS | {"using": "amt * 1000"}) as other:
        with pytest.raises(UsageError, match=r"round\(.*rename rollback bill amt amount_cents"):
            await other.expand()
    async with renaming(table) as without:
        await without.expand()
        assert (await without.backfill()).completed
        async with connected(table) as connection:
            assert await connection.fetchval("SELECT amount_cents FROM bill") == 125
        await without.rollback()
    async with renaming(table) as plain:
        await plain.expand()
    async with renaming(table, **CENTS) as late:
        with pytest.raises(UsageError, match="without a type"):
            await late.expand()


async def test_two_columns_that_no_rename_made_are_refused_by_the_plan(table: URL) -> None:
    await execute(table, "ALTER TABLE bill ADD amount_cents bigint")
    async with renaming(table, **CENTS) as rename:
        assert "name-taken" in {refusal.slug for refusal in (await rename.plan()).refusals}


async def test_names_that_need_quotes_are_those_of_an_expression_too(table: URL) -> None:
    old, new = 'Fee "%s" $1', "new %1$s; '\\ \u20ac"
    await execute(table, f"ALTER TABLE bill RENAME amt TO {quote(old)}")
    using, back = f"round({quote(old)} * 100)", f"{quote(new)} / 100.0"
    async with renaming(table) as plain:
        rename = Rename(
            plain.database,
            Target("bill", old, new),
            replace(plain.options, type="bigint", using=using, back=back),
        )
        await verified(rename)
        await execute(table, f"UPDATE bill SET {quote(new)} = 301")
        await execute(table, f"INSERT INTO bill (id, {quote(old)}) VALUES (2, 7.5)")
        with pytest.raises(asyncpg.PostgresError, match="cannot hold this value"):
            await execute(table, f"UPDATE bill SET {quote(new)} = 1e15")
        await gate_opens(rename)
        await rename.contract(confirm=f"bill.{old}")
        async with connected(table) as connection:
            rows = await connection.fetch(f"SELECT {quote(new)} FROM bill ORDER BY id")
            assert [row[0] for row in rows] == [301, 750]


async def test_an_expand_that_was_blocked_goes_on_as_it_was_begun(table: URL) -> None:
    async with connected(table) as client, renaming(table, **CENTS, lock_attempts=1) as rename:
        async with client.transaction():
            await client.execute("LOCK TABLE bill IN ACCESS SHARE MODE")
            with pytest.raises(RenameBlockedError):
                await rename.expand()
        assert (await rename.status()).phase is Phase.EXPANDING
        async with renaming(table, **CENTS | {"using": "amt * 1000"}) as other:
            with pytest.raises(UsageError, match="rename rollback bill amt amount_cents"):
                await other.expand()
        async with renaming(table) as later:
            await verified(later)
            await later.rollback()
    async with connected(table) as connection:
        assert not await connection.fetchval("SELECT to_regnamespace('invoicing_rename')")


# What PostgreSQL converts by the settings of a session, in either direction, and in an array.
BY_SESSION = [
    ("timestamptz", {"type": "timestamp"}),
    ("date", {"type": "timestamptz"}),
    ("timestamptz", {"type": "date"}),
    ("timestamptz", {"type": "text", "back": "b::timestamp AT TIME ZONE 'UTC'"}),
    ("timestamptz[]", {"type": "timestamp[]"}),
    ("timestamptz", {"type": "timestamp", "using": "a AT TIME ZONE 'UTC'"}),
    ("int", {"type": "money", "back": "5"}),
]


async def planned(url: URL, **options: Any) -> Plan:
    """Return the plan of renaming `t.a` to `b`."""
    async with Database(url, Settings()) as database:
        return await Rename(database, Target("t", "a", "b"), Options(**options)).plan()


@pytest.mark.parametrize(("kind", "conversion"), BY_SESSION)
async def test_a_conversion_that_depends_on_the_session_is_refused(
    empty_database_url: URL, kind: str, conversion: dict[str, str]
) -> None:
    await execute(empty_database_url, f"CREATE TABLE t (id int PRIMARY KEY, a {kind})")
    with pytest.raises(UsageError, match=r"not immutable.*--(using|back)"):
        await planned(empty_database_url, **conversion)


async def test_a_conversion_that_names_its_time_zone_is_taken(empty_database_url: URL) -> None:
    await execute(empty_database_url, "CREATE TABLE t (id int PRIMARY KEY, a timestamptz)")
    zone = {"using": "a AT TIME ZONE 'UTC'", "back": "b AT TIME ZONE 'UTC'"}
    assert not (await planned(empty_database_url, type="timestamp", **zone)).refusals
