"""`missing-index` on a server: which table lacks an index, and whether the printed SQL makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import column, create_engine, func, select, table, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from invoicing.toolkit.profiling import record_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Select
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

    from invoicing.toolkit.profiling import Finding

ROWS = "FROM generate_series(1, 4000) g"


class Named(NamedTuple):
    """A table, its schema and the column that the statement compares."""

    schema: str
    table: str
    column: str


HOSTILE = [
    Named("public", "evt", "k"),
    Named("public", "order", "user"),
    Named("public", "Big E", "K k"),
    Named("ten.b", "a.b", "c.d"),
    Named("50% off", "100%s", "%(x)s"),
    Named('say "hi"', 'a"b', 'c"d'),
    Named("Select", "date", "interval"),
    Named("public", "Größe", "straße"),
    Named("public", "key", "type"),
    Named("a--b", "it's", "/* k */"),
]


@pytest.fixture
async def events(empty_database_url: URL) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on an empty database."""
    engine = create_async_engine(empty_database_url, poolclass=NullPool)
    yield engine
    await engine.dispose()


def quoted(*names: str) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


async def run(engine: AsyncEngine, *statements: str) -> None:
    """Run each as a person who copies it does: as it is, in no transaction."""
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        for statement in statements:
            await raw.execute(statement)


async def missing(engine: AsyncEngine, statement: Select[Any]) -> list[Finding]:
    async with record_queries(engine, explain=True) as recorder, engine.connect() as connection:
        (await connection.execute(statement)).all()
    return [finding for finding in recorder.findings if finding.slug == "missing-index"]


async def indexed(engine: AsyncEngine) -> list[tuple[str, str]]:
    """Return the tables that have an index, by schema and name."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT schemaname, tablename FROM pg_indexes WHERE schemaname <> 'pg_catalog'")
        )
        return sorted(tuple(row) for row in rows)


async def create_table(engine: AsyncEngine, name: Named) -> None:
    await run(
        engine,
        f"CREATE SCHEMA IF NOT EXISTS {quoted(name.schema)}",
        f"CREATE TABLE {quoted(*name[:2])} AS SELECT g AS {quoted(name.column)} {ROWS}",
    )


def one_value(name: Named, alias: str | None = None) -> Select[Any]:
    compared = table(name.table, column(name.column), schema=name.schema)
    source = compared if alias is None else compared.alias(alias)
    return select(source).where(source.c[name.column] == 7)


@pytest.mark.broad
@pytest.mark.parametrize("alias", [None, "e", 'An "alias". %'])
@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name.table)
async def test_the_printed_index_can_be_created_whatever_the_names(
    events: AsyncEngine, name: Named, alias: str | None
) -> None:
    await create_table(events, name)
    (finding,) = await missing(events, one_value(name, alias))
    await run(events, finding.fix)
    assert await indexed(events) == [(name.schema, name.table)]
    assert await missing(events, one_value(name, alias)) == []


@pytest.mark.broad
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+psycopg2"])
@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: name.table)
async def test_other_drivers_name_the_same_index(
    events: AsyncEngine, name: Named, driver: str
) -> None:
    await create_table(events, name)
    engine = create_engine(events.url.set(drivername=driver), poolclass=NullPool)
    with record_queries(engine, explain=True) as recorder, engine.connect() as connection:
        connection.execute(one_value(name)).all()
    (expected,) = await missing(events, one_value(name))
    assert expected.fix in [finding.fix for finding in recorder.findings]


async def test_an_index_of_another_schemas_table_is_none_of_its_own(events: AsyncEngine) -> None:
    here, there = Named("public", "ev4", "k"), Named("ten_b", "ev4", "k")
    for name in (here, there):
        await create_table(events, name)
    await run(events, "CREATE INDEX ON public.ev4 (k)")
    assert await missing(events, one_value(here)) == []
    (finding,) = await missing(events, one_value(there))
    assert "ten_b.ev4" in finding.message
    await run(events, finding.fix)
    assert await indexed(events) == [("public", "ev4"), ("ten_b", "ev4")]
    assert await missing(events, one_value(there)) == []


@pytest.mark.parametrize(
    "setting",
    [
        text("SET search_path TO ten_b"),
        text("SET LOCAL search_path = ten_b"),
        select(func.set_config("search_path", "ten_b", True)),
    ],
)
async def test_a_statement_is_explained_under_the_path_that_the_program_had_set(
    events: AsyncEngine, setting: Any
) -> None:
    for name in (Named("public", "ev4", "k"), Named("ten_b", "ev4", "k")):
        await create_table(events, name)
    await run(events, "CREATE INDEX ON public.ev4 (k)")
    async with record_queries(events, explain=True) as recorder, events.connect() as connection:
        await connection.execute(setting)
        (await connection.execute(text("SELECT k FROM ev4 WHERE k = 7"))).all()
    fixes = [finding.fix for finding in recorder.findings]
    assert fixes == ["CREATE INDEX CONCURRENTLY ON ten_b.ev4 (k)"]


async def test_two_tables_of_one_name_in_one_statement_are_different_ones(
    events: AsyncEngine,
) -> None:
    both = [Named("ten_a", "ev4", "k"), Named("ten_b", "ev4", "k")]
    for name in both:
        await create_table(events, name)
    await run(events, "CREATE INDEX ON ten_a.ev4 (k)")
    first, second = (one_value(name).subquery() for name in both)
    findings = await missing(events, select(first).join(second, first.c.k == second.c.k))
    assert [finding.fix for finding in findings] == ["CREATE INDEX CONCURRENTLY ON ten_b.ev4 (k)"]


async def test_a_table_of_the_catalog_can_have_no_index_of_ones_own(events: AsyncEngine) -> None:
    await create_table(events, Named("public", "evt", "k"))
    procedures = table("pg_proc", column("prolang"), column("procost"), schema="pg_catalog")
    assert await missing(events, select(procedures).where(procedures.c.procost == 7777)) == []


async def create_partitioned(engine: AsyncEngine) -> Named:
    await run(
        engine,
        'CREATE SCHEMA "Ten"',
        'CREATE TABLE "Ten"."All E" (day integer, k integer) PARTITION BY RANGE (day)',
        'CREATE TABLE "Ten"."E 1" PARTITION OF "Ten"."All E" FOR VALUES FROM (0) TO (5000)',
        'CREATE TABLE "Ten"."E 2" PARTITION OF "Ten"."All E" FOR VALUES FROM (5000) TO (9000)',
        f'INSERT INTO "Ten"."All E" SELECT g, g {ROWS}',
        f'INSERT INTO "Ten"."All E" SELECT g + 4999, g {ROWS}',
    )
    return Named("Ten", "All E", "k")


async def test_each_partition_gets_an_index_that_the_partitioned_table_attaches(
    events: AsyncEngine,
) -> None:
    name = await create_partitioned(events)
    findings = await missing(events, one_value(name))
    assert len(findings) == 2
    assert all('a partition of "Ten"."All E"' in finding.message for finding in findings)
    await run(events, *(finding.fix for finding in findings))
    assert await indexed(events) == [("Ten", "E 1"), ("Ten", "E 2")]
    assert await missing(events, one_value(name)) == []
    await run(events, 'CREATE INDEX ON "Ten"."All E" (k)')
    assert await indexed(events) == [("Ten", "All E"), ("Ten", "E 1"), ("Ten", "E 2")]


async def test_an_index_of_the_partitioned_table_is_one_of_each_partition(
    events: AsyncEngine,
) -> None:
    name = await create_partitioned(events)
    await run(events, 'CREATE INDEX ON "Ten"."All E" (k)')
    assert await missing(events, one_value(name)) == []


@pytest.mark.parametrize(
    "expression",
    ["(k + 1) * 2 = 18", "(place).street = 7", "lower(name) = '7'", "data ->> 'a b' = '7'"],
)
async def test_the_printed_index_of_an_expression_is_that_of_the_filter(
    events: AsyncEngine, expression: str
) -> None:
    await run(
        events,
        "CREATE TYPE address AS (street integer)",
        "CREATE TABLE evt AS SELECT g AS k, row(g)::address AS place, g::text::varchar AS name,"
        f" jsonb_build_object('a b', g) AS data {ROWS}",
    )
    statement: Any = select(text("count(*) FROM evt e WHERE " + expression))
    (finding,) = await missing(events, statement)
    await run(events, finding.fix, "ANALYZE evt")
    async with record_queries(events, explain=True) as recorder, events.connect() as connection:
        (await connection.execute(statement)).all()
    assert "Index Name" in str(recorder.plans[1])


async def test_a_plan_does_not_keep_what_each_node_returns(events: AsyncEngine) -> None:
    await create_table(events, Named("public", "evt", "k"))
    async with record_queries(events, explain=True) as recorder, events.connect() as connection:
        (await connection.execute(text("SELECT * FROM evt ORDER BY k"))).all()
    assert recorder.plans[1]["Node Type"] == "Sort"
    assert "Output" not in str(recorder.plans[1])
