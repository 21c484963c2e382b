"""Parameters of an analyst's SQL: names where the server reads SQL, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from invoicing.errors import InvoicingError
from invoicing.models import Account
from invoicing.notebook import Table, frame, read_frame
from invoicing.notebook.errors import (
    MissingAwaitError,
    MissingParameterError,
    NoQueryError,
    QuerySourceError,
)
from tests.conftest import newest_server_url

if TYPE_CHECKING:
    from invoicing.db import Database

server_url = newest_server_url

VALUES: dict[str, Any] = {"x": "1", "none": [], "some": [1, 3], "n": 2}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :x::text || ':x' || ':missing' AS a", "1:x:missing"),
        ('SELECT 1 AS "a:missing" -- :missing', 1),
        ("SELECT /* :missing /* :missing */ :missing */ 1 AS a", 1),
        ("SELECT $$:missing$$ || $q$:missing '$q$ AS a", ":missing:missing '"),
        ("SELECT E'it\\':missing' || 'it''s :missing' AS a", "it':missingit's :missing"),
        ("SELECT '12\\:30' AS a", "12:30"),
        ("SELECT (ARRAY[1, 2, 3])[1:2]::text AS a", "{1,2}"),
        ("SELECT cast(:x AS text)::int::text AS a", "1"),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g IN :none", 0),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g NOT IN :none", 3),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g in (:none)", 0),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g IN (:some)", 2),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g not in :some", 1),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g IN (:n, 3)", 2),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g = ANY(:some)", 2),
        ("SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g <> ALL (:none)", 3),
        ("-- first\n(SELECT 1 AS a);", 1),
        ("VALUES (1)", 1),
    ],
)
async def test_names_are_read_where_the_server_reads_sql(
    database: Database, sql: str, expected: object
) -> None:
    found = await read_frame(database, sql, VALUES)
    assert found.iloc[0, 0] == expected


async def test_what_pandas_and_numpy_hold_is_a_value_or_a_list(database: Database) -> None:
    numbers = pd.Series([1, 3])
    for given in (
        numbers,
        numbers.to_numpy(),
        pd.Index(numbers),
        range(1, 4, 2),
        {1: 0, 3: 0}.keys(),
    ):
        sql = (
            "SELECT count(*) AS a FROM generate_series(1, 3) AS g WHERE g IN :given AND g > :least"
        )
        found = await read_frame(database, sql, {"given": given, "least": numbers.min()})
        assert found.a[0] == 1, type(given)


@pytest.mark.parametrize(
    ("sql", "values", "said"),
    [
        ("SELECT * FROM acount", {}, "Perhaps you meant account"),
        ("SELECT * FROM nothing_like_it", {}, "Tables here: account, "),
        ("SELECT amount_cent FROM invoice", {}, 'the column "invoice.amount_cents"'),
        ("SELECT 1 WHERE now() > :a", {"a": "2026-01-01"}, r"CAST\(:a AS date\)"),
        ("SELECT * FROM account WHERE name = :a", {"a": ["x", "y"]}, "Write: IN :a"),
        ("SELECT * FROM account WHERE name = %s", {}, "written :name"),
        ("DELETE FROM account RETURNING id", {}, r"database\.transaction\(\)"),
        ("SELECT 1 WHERE 1 IN :a", {"a": iter([1])}, r"a = list\(a\)"),
        ("SELECT * FROM account WHERE name = :a", ("x",), "without names"),
        ("  ", {}, "there is no statement"),
        (Account, {}, r"select\(Account\)"),
        (object(), {}, "Give a select or SQL"),
    ],
)
async def test_a_slip_is_answered_with_what_to_write(
    database: Database, sql: Any, values: Any, said: str
) -> None:
    with pytest.raises(InvoicingError, match=said):
        await read_frame(database, sql, values)
    # What is refused in a session's transaction has ended it: it is asked for nothing more.
    if isinstance(sql, str):
        async with database.read_only() as session:
            await session.connection(execution_options={"isolation_level": "READ COMMITTED"})
            with pytest.raises(InvoicingError):
                await read_frame(session, sql, values if not said.startswith("a = ") else {})


async def test_what_nothing_can_be_read_from_is_named(database: Database) -> None:
    for wrong in (database.url, "postgresql://nowhere/x", database.read_only()):
        with pytest.raises(QuerySourceError, match=r"await open_database\(\)"):
            await read_frame(wrong, "SELECT 1")
    coroutine = read_frame(database, "SELECT 1")
    for take in (Table, Table.of, frame):
        with pytest.raises(MissingAwaitError, match="await read_frame"):
            take(coroutine)
    coroutine.close()


async def test_names_without_a_value_and_statements_without_rows_are_refused(
    database: Database,
) -> None:
    with pytest.raises(MissingParameterError) as caught:
        await read_frame(database, "SELECT :y::text, ':z', :w", VALUES)
    assert caught.value.names == ("y", "w")
    for sql in (
        "DELETE FROM pg_class WHERE oid = :n", "SHOW search_path", "EXPLAIN SELECT 1",
        "/* a */ SET work_mem = '1MB'",
    ):  # fmt: skip
        with pytest.raises(NoQueryError, match="RETURNING"):
            await read_frame(database, sql, VALUES)
