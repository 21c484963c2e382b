"""Parameters of an analyst's SQL: names where the server reads SQL, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from invoicing.notebook import read_frame
from invoicing.notebook.errors import MissingParameterError, NoQueryError
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
