"""GROUP BY a primary key, which no view has: what the plan reads, and what PostgreSQL says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.toolkit.rename.view.grouping import GroupingKey, groups_by_key
from tests.conftest import execute, newest_server_url
from tests.rename.faults import connected

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

server_url = newest_server_url
KEY = GroupingKey("item", ("id",), ("id", "amt", "note"))
QUERIES = (
    "SELECT id, note FROM item GROUP BY id",
    "SELECT i.id, i.note, sum(p.amt) FROM item AS i JOIN payment p ON p.id = i.id GROUP BY i.id",
    "SELECT * FROM item GROUP BY id",
    "SELECT upper(note) FROM item GROUP BY id HAVING count(*) > 1",
    "SELECT count(*), (SELECT 1) FROM item GROUP BY id, note",
    "SELECT note FROM item GROUP BY id, note",
    "SELECT id, max(note), count(DISTINCT amt) FROM item GROUP BY id",
    "SELECT 1 FROM (SELECT t.note FROM item t GROUP BY t.id ORDER BY 1) AS s",
    "SELECT p.id, p.amt FROM payment AS p JOIN item i ON i.id = p.id GROUP BY p.id",
    "SELECT note, count(*) FROM item GROUP BY note",
    'SELECT "note" FROM public.item GROUP BY item.id LIMIT 3',
)


@pytest.mark.parametrize("query", QUERIES)
async def test_a_query_is_named_if_it_fails_on_a_view(empty_database_url: URL, query: str) -> None:
    await execute(
        empty_database_url,
        "CREATE TABLE base (id bigint PRIMARY KEY, amt bigint, note text)",
        "CREATE TABLE payment (id bigint PRIMARY KEY, amt bigint)",
        "CREATE VIEW item AS SELECT * FROM base",
    )
    async with connected(empty_database_url) as client:
        try:
            await client.execute(query)
        except asyncpg.GroupingError:
            fails = True
        else:
            fails = False
    assert groups_by_key(query, KEY) == fails


def test_no_key_and_another_key_are_not_grouped_by() -> None:
    assert not groups_by_key(QUERIES[0], KEY._replace(key=()))
    assert not groups_by_key(QUERIES[0], KEY._replace(key=("id", "amt")))
    assert groups_by_key(QUERIES[0].replace("BY id", "BY amt, id"), KEY._replace(key=("id", "amt")))
