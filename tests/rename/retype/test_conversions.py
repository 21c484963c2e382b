"""A rename that changes the type, judged by a twin on which PostgreSQL changes it in one go.

Both tables are written through the old column before; while both columns live, ours is written by
old and by new names, and the twin by what that is in the old type. Then the twin gets ALTER COLUMN
TYPE ... USING and RENAME, and the catalog and every row have to be the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from invoicing.toolkit.rename import Phase
from tests.conftest import execute
from tests.rename.faults import connected
from tests.rename.state import gate_opens
from tests.rename.twin import OURS, TWIN, described, make_twins, of_the_twin, renaming
from tests.rename.versions import on_newest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import URL

    from tests.rename.twin import Description


class Case(NamedTuple):
    """A change of the type.

    Attributes:
        declared: the old column, after its name.
        values: of the old column, as SQL over n; NULL where it may be.
        pairs: an old value and what it is in the new column, for writes in the window.
        using, back: as the options.
        more: statements on the table `thing` before it begins.
    """

    declared: str
    type: str
    values: str
    pairs: tuple[tuple[str, str], ...]
    using: str | None = None
    back: str | None = None
    more: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Return the options of its rename; jsonb has not the spaces of a json."""
        accept = frozenset({"lossy"} if self.type == "jsonb" else ())
        return {"type": self.type, "using": self.using, "back": self.back, "accept": accept}

    def alter(self) -> str:
        """Return the plain change."""
        using = f" USING {self.using}" if self.using else ""
        return f"ALTER TABLE thing ALTER COLUMN amt TYPE {self.type}{using}"


CASES = {
    "int to bigint": Case(
        "int NOT NULL DEFAULT 5 CHECK (amt > -9)",
        "bigint",
        "n * 1000",
        (("1000000000", "1000000000"), ("-8", "-8"), ("DEFAULT", "5")),
        more=(
            "CREATE UNIQUE INDEX ix_thing_amt ON thing (amt, id)",
            "CREATE INDEX ix_part ON thing (amt) WHERE amt > 50",
            "CREATE INDEX ix_twice ON thing ((amt * 2), amt)",
            "CREATE STATISTICS amt_stats ON amt, id FROM thing",
            "COMMENT ON COLUMN thing.amt IS 'of it'",
            "ALTER TABLE thing ALTER amt SET STATISTICS 77, ADD UNIQUE (amt, note)",
        ),
    ),
    "serial to bigint": Case(
        "serial REFERENCES other (n)",
        "bigint",
        "n",
        (("7", "7"), ("NULL", "NULL")),
        more=("ALTER TABLE thing ALTER amt DROP NOT NULL",),
    ),
    "numeric to cents": Case(
        "numeric(10,2) NOT NULL DEFAULT 0.50",
        "bigint",
        "n * 1.25",
        (("7.77", "777"), ("-0.01", "-1")),
        "round(amt * 100)",
        "cents / 100.0",
        ("CREATE INDEX ON thing (amt)", "ALTER TABLE thing ALTER amt DROP DEFAULT"),
    ),
    "numeric of any scale": Case(
        "numeric",
        "numeric(12,3)",
        "n * 1.125",
        (("7.5", "7.500"), ("NULL", "NULL"), ("'NaN'", "'NaN'")),
    ),
    "varchar to text": Case(
        "varchar(20) NOT NULL DEFAULT 'none'",
        "text",
        "repeat(chr(97 + n % 20), 1 + n % 20)",
        (("'A b'", "'A b'"), ("''", "''")),
        more=(
            "CREATE INDEX ON thing (amt varchar_pattern_ops)",
            "CREATE INDEX ON thing (lower(amt))",
        ),
    ),
    "text to int": Case(
        "text",
        "integer",
        "nullif(n, 3)::text",
        (("'-12'", "-12"), ("NULL", "NULL")),
        "amt::integer",
        "cents::text",
        ("CREATE INDEX ON thing (amt)",),
    ),
    "text of nothing to NULL": Case(
        "text NOT NULL DEFAULT ''",
        "integer",
        "CASE n % 3 WHEN 0 THEN '' ELSE n::text END",
        (("''", "NULL"), ("'4'", "4")),
        "nullif(amt, '')::integer",
        "coalesce(cents::text, '')",
        ("ALTER TABLE thing ALTER amt DROP NOT NULL, ALTER amt DROP DEFAULT",),
    ),
    "timestamp to timestamptz": Case(
        "timestamp(3)",
        "timestamptz(3)",
        "timestamp '2024-03-30 22:00' + n * interval '7 hours'",
        (
            ("'2024-10-27 02:30:00.125'", "'2024-10-27 02:30:00.125+00'"),
            ("'infinity'", "'infinity'"),
        ),
        "amt AT TIME ZONE 'UTC'",
        "cents AT TIME ZONE 'UTC'",
    ),
    "boolean to an enum": Case(
        "boolean",
        "answer",
        "n % 2 = 0",
        (("true", "'yes'"), ("false", "'no'"), ("NULL", "NULL")),
        "CASE amt WHEN true THEN 'yes'::answer WHEN false THEN 'no'::answer END",
        "CASE cents WHEN 'yes'::answer THEN true WHEN 'no'::answer THEN false END",
    ),
    "char to varchar": Case("char(5)", "varchar(5)", "'x' || n % 100", (("'ab'", "'ab'"),)),
    "json to jsonb": Case(
        "json",
        "jsonb",
        "json_build_object('n', n)",
        (("'{\"a\": 1}'", "'{\"a\": 1}'"),),
        "amt::jsonb",
        "cents::json",
    ),
    "partitioned": Case(
        "int NOT NULL DEFAULT 3",
        "bigint",
        "n",
        (("4", "4"), ("DEFAULT", "3")),
        more=("ALTER TABLE thing_1 ALTER amt SET DEFAULT 4", "CREATE INDEX ON thing (amt)"),
    ),
}
BEFORE = 1_000
ON_ALL = {"int to bigint", "numeric to cents", "partitioned"}


def made(case: str) -> list[str]:
    """Return what makes a case's table."""
    declared, parted = CASES[case].declared, ""
    if case == "partitioned":
        parted = " PARTITION BY RANGE (id)"
    return [
        "CREATE TABLE other (n int PRIMARY KEY)",
        "INSERT INTO other SELECT n FROM generate_series(1, 200) AS n",
        f"CREATE TABLE thing (id int, amt {declared}, note text){parted}",
        *(
            [
                "CREATE TABLE thing_1 PARTITION OF thing FOR VALUES FROM (0) TO (80)",
                "CREATE TABLE thing_2 PARTITION OF thing FOR VALUES FROM (80) TO (10000)",
            ]
            if parted
            else []
        ),
        (
            f"INSERT INTO thing SELECT n, {CASES[case].values}, 'note'"
            " FROM generate_series(1, 150) AS n"
        ),
        *CASES[case].more,
    ]


async def run(url: URL, schema: str, *statements: str) -> None:
    async with connected(url, search_path=f'"{schema}", public') as connection:
        for statement in statements:
            await connection.execute(statement)


async def write(url: URL, case: Case, start: int) -> None:
    """Write each pair by either name to ours, and its old value to the twin."""
    for place, (old, new) in enumerate(case.pairs):
        first, second, third = (start + 10 * place + more for more in (0, 1, 2))
        insert = "INSERT INTO thing (id, {}) VALUES ({}, {})".format
        update = "UPDATE thing SET {} = {} WHERE id = {}".format
        inserts = [insert("amt", first, old)]
        await run(url, OURS, *inserts, insert("cents", second, new))
        await run(url, TWIN, *inserts, insert("amt", second, old))
        updates = [("amt", old, first + 1), ("cents", new, third - start + 1)]
        if start == BEFORE and (new == "NULL" or case.type == "jsonb"):
            # Refused in a row that is not filled: it may have been computed from that.
            updates.pop()
        for column, value, row in updates:
            await run(url, OURS, update(column, value, row))
            await run(url, TWIN, update("amt", old, row))


async def rows(url: URL, schema: str, column: str = "cents") -> list[tuple[object, ...]]:
    async with connected(url, search_path=f'"{schema}", public') as connection:
        query = f"SELECT id, {column}::text, note FROM thing ORDER BY id, note"
        return [tuple(row) for row in await connection.fetch(query)]


def without_not_null_names(description: Description) -> list[tuple[str, ...]]:
    return [row for row in description if row[0] != "trigger"]


async def twins(url: URL, case: str, more: Sequence[str] = ()) -> URL:
    """Return the database, with what a case begins with, twice."""
    await execute(url, "CREATE TYPE answer AS ENUM ('yes', 'no')")
    await make_twins(url, [*made(case), *more])
    return url


@on_newest("case", CASES, on_all=ON_ALL)
async def test_a_changed_type_is_what_a_plain_change_makes_of_a_twin(
    empty_database_url: URL, case: str
) -> None:
    url, change = await twins(empty_database_url, case), CASES[case]
    async with renaming(url, **change.options) as rename:
        assert not (await rename.plan()).refusals
        await rename.expand()
        await write(url, change, BEFORE)
        assert (await rename.backfill()).completed
        await write(url, change, 2_000)
        report = await rename.verify()
        assert report.ok, report
        await write(url, change, 3_000)
        await gate_opens(rename)
        await rename.contract(confirm="thing.amt")
    await run(url, TWIN, change.alter())
    twin = await of_the_twin(url, "amt", "cents")
    assert without_not_null_names(await described(url, OURS)) == twin
    assert await rows(url, OURS) == await rows(url, TWIN)


@on_newest("case", ["numeric to cents"], on_all=["numeric to cents"])
async def test_rollback_and_restore_go_by_the_expressions(
    empty_database_url: URL, case: str
) -> None:
    url, change = empty_database_url, CASES[case]
    await make_twins(url, made(case))
    before = await described(url, OURS)
    async with renaming(url, **change.options) as rename:
        await rename.expand()
        await rename.backfill()
        await rename.rollback()
        assert await described(url, OURS) == before
        await rename.expand()
        await rename.backfill()
        await rename.verify()
        await gate_opens(rename)
        await rename.contract(confirm="thing.amt")
        # As another process would, which knows nothing of the options.
        async with renaming(url) as other:
            await run(url, OURS, "UPDATE thing SET cents = 4711 WHERE id = 1")
            assert (await other.restore()).completed
            await run(url, OURS, "UPDATE thing SET amt = 1.23 WHERE id = 2")
            async with connected(url) as connection:
                query = (
                    f'SELECT amt::text, cents::text FROM "{OURS}".thing WHERE id < 3 ORDER BY id'
                )
                found = [tuple(row) for row in await connection.fetch(query)]
            assert found == [("47.11", "4711"), ("1.23", "123")]
            await other.reversed().rollback()
            assert (await other.status()).phase is Phase.CONTRACTED
