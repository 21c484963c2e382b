"""Any select to a DataFrame: exact, with the right dtypes, in the session's own transaction."""

from __future__ import annotations

import asyncio
import string
from datetime import time
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, bindparam, func, literal, select, text

from invoicing.db import Database
from invoicing.errors import ConnectionLostError, StatementFailedError
from invoicing.models import Account, Invoice, InvoiceStatus
from invoicing.notebook import read_frame
from invoicing.notebook.errors import FrameError
from invoicing.sample import load_sample
from tests.conftest import newest_server_url
from tests.factories import create_account

if TYPE_CHECKING:
    from typing import Any

    from sqlalchemy.engine import URL

server_url = newest_server_url

EVERY = """
SELECT NULL::bigint AS nothing, 9223372036854775807 AS big, (-5)::smallint AS small, true AS yes,
    NULL::boolean AS maybe, 1.5::float8 AS real, 'NaN'::float8 AS nan,
    12345678901234567890.123456789::numeric AS exact, '' AS empty, 'say "it",' || chr(10) AS quoted,
    '00000000-0000-0000-0000-000000000007'::uuid AS id, '2026-06-30 23:59:59.123456+05:30'
    ::timestamptz AS moment, '2026-06-30 12:00'::timestamp AS plain, '2026-06-30'::date AS day,
    '12:30:00.5'::time AS clock, '\\x00ff'::bytea AS raw, ARRAY[1, 2] AS list,
    '{"a": 1}'::jsonb AS json
"""
DTYPES = {
    "nothing": "Int64",
    "big": "Int64",
    "small": "Int64",
    "yes": "boolean",
    "maybe": "boolean",
    "real": "float64",
    "nan": "float64",
    "exact": "decimal128(38, 9)[pyarrow]",
    "empty": "str",
    "quoted": "str",
    "id": "str",
    "moment": "datetime64[us, UTC]",
    "plain": "datetime64[us]",
    "day": "datetime64[s]",
    "clock": "time64[us][pyarrow]",
    "raw": "object",
    "list": "str",
    "json": "str",
}
VALUES: dict[str, Any] = {
    "big": 2**63 - 1,
    "small": -5,
    "yes": True,
    "real": 1.5,
    "exact": Decimal("12345678901234567890.123456789"),
    "empty": "",
    "quoted": 'say "it",\n',
    "id": str(UUID(int=7)),
    "moment": pd.Timestamp("2026-06-30 18:29:59.123456", tz="UTC"),
    "plain": pd.Timestamp("2026-06-30 12:00"),
    "day": pd.Timestamp("2026-06-30"),
    "clock": time(12, 30, 0, 500_000),
    "raw": b"\x00\xff",
    "list": "{1,2}",
    "json": '{"a": 1}',
}


async def test_each_type_has_its_dtype_and_its_value(database: Database) -> None:
    found = await read_frame(database, text(EVERY))
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == DTYPES
    assert {name: found[name].iloc[0] for name in VALUES} == VALUES
    assert found[["nothing", "maybe", "nan"]].isna().all(axis=None)


async def test_no_rows_have_the_same_dtypes(database: Database) -> None:
    found = await read_frame(database, text(f"SELECT * FROM ({EVERY}) AS t WHERE NOT yes"))
    dtypes = {name: str(dtype) for name, dtype in found.dtypes.items()}
    # Without a value it is unknown how many digits there would be.
    assert dtypes | {"exact": ""} == DTYPES | {"exact": ""}
    assert len(found) == 0


async def test_a_class_is_read_by_its_columns_with_parameters(database: Database) -> None:
    await load_sample(database, accounts=3, invoices=60)
    statuses = [InvoiceStatus.OPEN, InvoiceStatus.PAID]
    statement = (
        select(Invoice)
        .where(Invoice.status.in_(statuses), Invoice.amount_cents > bindparam("least", 100))
        .order_by(Invoice.amount_cents)
    )
    found = await read_frame(database, statement)
    async with database.read_only() as session:
        objects = list(await session.scalars(statement))
    assert found["amount_cents"].tolist() == [invoice.amount_cents for invoice in objects]
    assert found["id"].tolist() == [str(invoice.id) for invoice in objects]
    assert found["issued_at"].dropna().tolist() == [
        invoice.issued_at for invoice in objects if invoice.issued_at is not None
    ]
    assert set(found["status"]) <= {"open", "paid"}
    assert str(found["amount_cents"].dtype) == "Int64"


async def test_a_session_sees_what_it_has_not_committed(database: Database) -> None:
    async with database.transaction() as session:
        session.add(create_account(name="not committed"))
        assert (await read_frame(session, select(Account.name)))["name"].tolist() == [
            "not committed"
        ]
        assert len(await read_frame(database, select(Account.name))) == 0


async def test_a_session_that_has_done_nothing_yet_reads_in_its_transaction(
    database: Database,
) -> None:
    async with database.transaction() as session:
        first = await read_frame(session, select(func.txid_current().label("xid")))
        second = await read_frame(session, select(func.txid_current().label("xid")))
        assert first["xid"].tolist() == second["xid"].tolist()


async def test_the_session_keeps_its_time_zone(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("SET LOCAL datestyle TO 'German'"))
        await session.execute(text("SET LOCAL timezone TO 'Africa/Monrovia'"))
        # An offset of 44 minutes and 30 seconds, which ISO 8601 has no form for.
        moment = 'SELECT timestamptz \'1960-01-01\' AS "the ""moment"""; '
        found = await read_frame(session, text(moment))
        assert found['the "moment"'].iloc[0] == pd.Timestamp("1960-01-01 00:44:30", tz="UTC")
        assert await session.scalar(text("SHOW timezone")) == "Africa/Monrovia"


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS a, 2 AS a", "two columns are called 'a'"),
        ("SELECT 1 AS a, 'infinity'::timestamptz AS late", "column 'late' has a timestamptz"),
        ("SELECT date '0044-03-15 BC' AS ides", "column 'ides' has a date"),
        ("SELECT 'NaN'::numeric AS share", "column 'share' has a numeric"),
        ("SELECT repeat('9', 80)::numeric AS many", "column 'many' has a numeric"),
    ],
)
async def test_what_no_dtype_holds_is_refused_by_name(
    database: Database, sql: str, said: str
) -> None:
    with pytest.raises(FrameError, match=said):
        await read_frame(database, text(sql))


async def test_the_servers_refusal_is_one_sentence(database: Database) -> None:
    with pytest.raises(StatementFailedError, match="division by zero"):
        await read_frame(database, text("SELECT 1 / (n - 3) AS n FROM generate_series(1, 5) AS n"))
    with pytest.raises(ConnectionLostError):
        await read_frame(database, text("SELECT pg_terminate_backend(pg_backend_pid()) AS gone"))
    assert len(await read_frame(database, text("SELECT 1 AS one"))) == 1


async def test_a_cancelled_read_leaves_nothing_at_work(database: Database) -> None:
    slow = text("SELECT n, pg_sleep(0.01)::text AS s FROM generate_series(1, 100000) AS n")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read_frame(database, slow), 0.5)
    at_work = text(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%0.01%' AND"
        " state = 'active' AND pid <> pg_backend_pid()"
    )
    assert (await read_frame(database, at_work))["n"].iloc[0] == 0


@pytest.mark.parametrize("kind", ["text", "bigint"])
async def test_a_row_of_nothing_but_null_is_a_row(database: Database, kind: str) -> None:
    found = await read_frame(database, text(f"SELECT NULL::{kind} AS a FROM generate_series(1, 3)"))
    assert found["a"].isna().tolist() == [True] * 3


@pytest.fixture
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invoicing.notebook.reading._BLOCK", 10_000)


@pytest.mark.usefixtures("_small_blocks")
async def test_many_rows_come_in_blocks_and_in_order(database: Database) -> None:
    lines = "SELECT n, repeat(chr(10) || '\"', n % 7) AS t FROM generate_series(1, 20000) AS n"
    found = await read_frame(database, text(lines))
    assert found["n"].tolist() == list(range(1, 20_001))
    assert found["t"].tolist() == ['\n"' * (n % 7) for n in range(1, 20_001)]


@pytest.mark.usefixtures("_small_blocks")
async def test_a_row_may_be_longer_than_a_block(database: Database) -> None:
    lines = "SELECT n, repeat(n::text, 100000) AS t FROM generate_series(1, 9) AS n"
    found = await read_frame(database, text(lines))
    assert found["t"].tolist() == [str(n) * 100_000 for n in range(1, 10)]


HOSTILE = st.text(alphabet=string.printable + "\u2028é$\U0001f600", max_size=20)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=HOSTILE, id_=st.uuids(), cents=st.integers(-(2**63), 2**63 - 1))
def test_parameters_come_back_as_they_were(
    migrated_database_url: URL, said: str, id_: UUID, cents: int
) -> None:
    async def read() -> pd.DataFrame:
        async with Database(migrated_database_url) as database:
            given_values = {
                "said": literal(said),
                "id": literal(id_),
                "cents": literal(cents, BigInteger),
            }
            statement = select(*[value.label(name) for name, value in given_values.items()])
            return await read_frame(database, statement)

    assert asyncio.run(read()).iloc[0].tolist() == [said, str(id_), cents]
