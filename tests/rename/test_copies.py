"""Whatever is on the column or on a partition's is on the new one as PostgreSQL would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rename.bills import verified
from tests.rename.shapes import Shape
from tests.rename.twin import (
    OURS,
    described,
    make_twins,
    of_the_twin,
    renaming,
    without_names,
)
from tests.rename.versions import since_18, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import URL


PARTITIONED = [
    "CREATE TABLE thing (id int NOT NULL, amt {type}) PARTITION BY RANGE (id)",
    "CREATE TABLE low PARTITION OF thing FOR VALUES FROM (0) TO (50)",
    "CREATE TABLE high (note text, amt {type}, id int NOT NULL)",
    "ALTER TABLE high DROP note",
    "ALTER TABLE thing ATTACH PARTITION high FOR VALUES FROM (50) TO (100)",
    "INSERT INTO thing SELECT n, '1' FROM generate_series(1, 99) AS n",
]
PLAIN = ["CREATE TABLE thing (id int, amt {type})", *PARTITIONED[-1:]]


def on(tables: list[str], *statements: str, type_: str = "bigint") -> list[str]:
    """Return what makes the tables, and what is on them."""
    return [table.replace("{type}", type_) for table in tables] + list(statements)


# What was lost, broke off half-way or was refused; each by the statements that make it.
SHAPES = {
    "statistics in another schema, and names that are another's with the column's": on(
        PLAIN,
        'CREATE SCHEMA "Of {schema}"',
        'CREATE STATISTICS "Of {schema}"."s t" ON id, amt FROM thing',
        'CREATE INDEX "by" ON thing (amt)',
        "CREATE INDEX by_amt ON thing (amt DESC)",
        "ALTER TABLE thing ADD CONSTRAINT ck CHECK (amt > 0)",
        "ALTER TABLE thing ADD CONSTRAINT ck_amt CHECK (amt > 0)",
    ),
    "of one partition: NOT NULL, a part of an index, a foreign key, a comment": on(
        PARTITIONED,
        "ALTER TABLE high ALTER amt SET NOT NULL",
        "CREATE INDEX whole ON ONLY thing (amt)",
        "CREATE INDEX part ON low (amt DESC) WITH (fillfactor = 70)",
        "ALTER INDEX whole ATTACH PARTITION part",
        "ALTER TABLE thing ADD CONSTRAINT once UNIQUE (amt, id) DEFERRABLE INITIALLY DEFERRED",
        "COMMENT ON CONSTRAINT high_amt_id_key ON high IS 'why'",
        "CREATE TABLE list (id bigint PRIMARY KEY)",
        "INSERT INTO list VALUES (1)",
        "ALTER TABLE high ADD CONSTRAINT own FOREIGN KEY (amt) REFERENCES list",
        "ALTER TABLE thing ADD CONSTRAINT listed FOREIGN KEY (amt) REFERENCES list DEFERRABLE",
    ),
    "NOT NULL by other names, keys to a partitioned table, an own sequence": on(
        PARTITIONED,
        "CREATE TABLE list (id bigint PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE list_1 PARTITION OF list FOR VALUES FROM (0) TO (50)",
        "CREATE TABLE list_2 PARTITION OF list FOR VALUES FROM (50) TO (100)",
        "INSERT INTO list VALUES (1)",
        "ALTER TABLE thing ADD CONSTRAINT listed FOREIGN KEY (amt) REFERENCES list",
        "ALTER TABLE high ADD CONSTRAINT own FOREIGN KEY (amt) REFERENCES list ON DELETE CASCADE",
        "CREATE SEQUENCE numbers OWNED BY low.amt",
        "ALTER TABLE ONLY low ALTER amt SET DEFAULT nextval('numbers')",
        "ALTER TABLE ONLY high ALTER amt SET DEFAULT 7",
        type_="bigint NOT NULL",
    ),
    "storage of a partition": on(
        PARTITIONED,
        "ALTER TABLE thing ALTER amt SET STORAGE EXTERNAL, ALTER amt SET STATISTICS 70",
        "ALTER TABLE low ALTER amt SET STORAGE MAIN, ALTER amt SET COMPRESSION pglz",
        "ALTER TABLE high ALTER amt SET STORAGE EXTENDED, ALTER amt SET STATISTICS -1",
        type_='text COLLATE "C"',
    ),
    "an operator class with options": on(
        PLAIN,
        "CREATE INDEX words ON thing USING gist (amt tsvector_ops (siglen = 100))",
        "CREATE INDEX more ON thing USING gin (amt) WITH (fastupdate = off)",
        type_="tsvector",
    ),
}
NAMED_OR_NOT_ENFORCED = on(
    PARTITIONED,
    "ALTER TABLE thing ADD CONSTRAINT must NOT NULL amt",
    "COMMENT ON CONSTRAINT must ON low IS 'why'",
    "CREATE TABLE list (id bigint PRIMARY KEY)",
    "ALTER TABLE thing ADD FOREIGN KEY (amt) REFERENCES list NOT ENFORCED",
    "ALTER TABLE high ADD FOREIGN KEY (amt) REFERENCES list ON DELETE CASCADE NOT ENFORCED",
    "ALTER TABLE low ADD CONSTRAINT small CHECK (amt < 0) NOT ENFORCED",
)


async def assert_as_the_twin(url: URL, statements: Iterable[str]) -> None:
    """Walk to the gate and back, then there and beyond, and all the way back."""
    await make_twins(url, statements)
    before = await described(url, OURS)
    expected = await of_the_twin(url, "amt", "cents")
    async with renaming(url) as rename:
        await verified(rename)
        during = without_names(await described(url, OURS))
        assert not [row for row in without_names(expected) if row not in during]
        await rename.rollback()
        assert await described(url, OURS) == before
        await verified(rename)
        await rename.contract(confirm="thing.amt")
        assert await described(url, OURS) == expected
        assert (await rename.restore()).completed
    async with renaming(url, "cents", "amt") as back:
        await back.contract(confirm="thing.cents")
    assert await described(url, OURS) == before


async def assert_view_as_the_twin(url: URL, statements: Iterable[str]) -> None:
    await make_twins(url, statements)
    before = await described(url, OURS)
    expected = await of_the_twin(url, "amt", "cents")
    async with renaming(url, strategy="view") as rename:
        await verified(rename)
        await rename.rollback()
        assert await described(url, OURS) == before
        await verified(rename)
        await rename.contract(confirm="thing.amt")
    assert await described(url, OURS) == expected


@pytest.mark.regression
@pytest.mark.parametrize("shape", SHAPES)
async def test_it_is_as_its_twin(empty_database_url: URL, shape: str) -> None:
    await assert_as_the_twin(empty_database_url, SHAPES[shape])


@since_18
async def test_what_18_knows_is_as_its_twin(empty_database_url: URL) -> None:
    await assert_as_the_twin(empty_database_url, NAMED_OR_NOT_ENFORCED)


@pytest.mark.parametrize("number", range(3))
async def test_a_table_behind_a_view_is_as_its_twin(empty_database_url: URL, number: int) -> None:
    shape = Shape(number, await version_of(empty_database_url))
    await assert_view_as_the_twin(empty_database_url, shape.statements)


@pytest.mark.parametrize("number", range(3))
async def test_a_table_made_by_chance_is_as_its_twin(empty_database_url: URL, number: int) -> None:
    version = await version_of(empty_database_url)
    # Three others for each version: one of each kind of table.
    shape = Shape(number if version >= 18 else number + 3, version)
    await assert_as_the_twin(empty_database_url, shape.statements)
