"""What a statement named counts, whatever the value was; and the row is right by both names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from tests.conftest import execute
from tests.rename.bills import CONFIRM, renaming, verified, verified_rename
from tests.rename.faults import connected
from tests.rename.state import gate_opens

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

# The default of the column, where the default is another value each time, or is none.
DEFAULTS = {
    "3": "bigint NOT NULL DEFAULT 3",
    "none": "bigint",
    "sequence": "bigint NOT NULL DEFAULT nextval('numbers')",
    "domain": "amount",
}
# An expression of `amt` and `amount_cents`, and of the rows that are expected; then the count.
INSERTS = {
    "old": ("(id, amt) VALUES (9, 5)", 5, 1),
    "old, the default": ("(id, amt) VALUES (9, 3)", 3, 1),
    "old and new": ("(id, amt, amount_cents) VALUES (9, 5, 5)", 5, 1),
    "by place": ("VALUES (9, 5)", 5, 1),
    "new": ("(id, amount_cents) VALUES (9, 5)", 5, 0),
    "new, the default": ("(id, amount_cents) VALUES (9, 3)", 3, 0),
    "old, by DEFAULT the new": ("(id, amt, amount_cents) VALUES (9, 5, DEFAULT)", 5, 1),
    "new, by DEFAULT the old": ("(id, amt, amount_cents) VALUES (9, DEFAULT, 5)", 5, 0),
    "old, sorted": ("(id, amt) SELECT n, 5 FROM generate_series(9, 9) AS n ORDER BY -n", 5, 1),
    "new, sorted": ("(id, amount_cents) SELECT n, 5 FROM generate_series(9, 9) n ORDER BY 1", 5, 0),
}


@pytest.fixture
async def url(empty_database_url: URL, request: pytest.FixtureRequest) -> URL:
    definition = DEFAULTS[getattr(request, "param", "3")]
    await execute(
        empty_database_url,
        "CREATE SEQUENCE numbers START 100",
        "CREATE DOMAIN amount AS bigint DEFAULT 3",
        f"CREATE TABLE bill (id bigint PRIMARY KEY, amt {definition}, note text)",
        "INSERT INTO bill (id, amt) VALUES (1, 10), (2, 20)",
    )
    return empty_database_url


async def counted(rename: Rename, url: URL, *statements: str) -> int:
    """Return how many writes by the old name were counted for the statements."""
    before = (await rename.status()).old_writes
    await execute(url, *statements)
    return (await rename.status()).old_writes - before


async def pair(url: URL, number: int = 9) -> tuple[int | None, int | None]:
    """Return a row's value by either name."""
    async with connected(url) as client:
        return tuple(await client.fetchrow(f"SELECT amt, amount_cents FROM bill WHERE id={number}"))


@pytest.mark.parametrize("url", ["3", "sequence", "none"], indirect=True)
async def test_an_insert_counts_by_what_it_named(url: URL) -> None:
    seen = {}
    async with renaming(url) as rename:
        await rename.expand()
        for named, (text, _, _) in INSERTS.items():
            count = await counted(rename, url, f"INSERT INTO bill {text}")
            seen[named] = (*await pair(url), count)
            await execute(url, "DELETE FROM bill WHERE id = 9")
    assert seen == {named: (value, value, count) for named, (_, value, count) in INSERTS.items()}


@pytest.mark.parametrize("url", DEFAULTS, indirect=True)
async def test_an_insert_that_names_neither_has_the_default_by_both_names(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        assert await counted(rename, url, "INSERT INTO bill (id) VALUES (9)") == 0
        old, new = await pair(url)
        assert old == new
        assert old in {3, 100, None}


@pytest.mark.parametrize("url", ["none"], indirect=True)
async def test_a_null_that_was_named_is_kept_and_counted(url: URL) -> None:
    async with renaming(url) as rename:
        await rename.expand()
        for number, column, count in ((9, "amt", 1), (10, "amount_cents", 0)):
            insert = f"INSERT INTO bill (id, {column}) VALUES ({number}, NULL)"
            assert await counted(rename, url, insert) == count
            assert await pair(url, number) == (None, None)


TWO_VALUES = {
    "insert": "INSERT INTO bill (id, amt, amount_cents) VALUES (9, 3, 4)",
    "insert, NULL": "INSERT INTO bill (id, amt, amount_cents) VALUES (9, 4, NULL)",
    "insert, the next number": (
        "INSERT INTO bill (id, amt, amount_cents)"
        " VALUES (9, nextval('numbers'), nextval('numbers'))"
    ),
    "update": "UPDATE bill SET amt = 4, amount_cents = 5",
    "update, old as it was": "UPDATE bill SET amt = amt, amount_cents = 5",
    "update, new as it was": "UPDATE bill SET amt = 5, amount_cents = amount_cents",
    "on conflict": (
        "INSERT INTO bill (id, amt) VALUES (1, 5)"
        " ON CONFLICT (id) DO UPDATE SET amt = 5, amount_cents = bill.amount_cents"
    ),
}


@pytest.mark.parametrize("url", ["3", "sequence", "none"], indirect=True)
async def test_two_values_by_two_names_are_an_error(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        for named, statement in TWO_VALUES.items():
            with pytest.raises(asyncpg.CheckViolationError, match="one value by two names"):
                await client.execute(statement)
                pytest.fail(named)


async def test_what_is_refused_leaves_nothing_behind_for_the_next_statement(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        await client.execute("BEGIN; SAVEPOINT s")
        with pytest.raises(asyncpg.CheckViolationError):
            await client.execute("UPDATE bill SET amt = amt, amount_cents = 5")
        await client.execute("ROLLBACK TO s; UPDATE bill SET amt = 7 WHERE id = 1; COMMIT")
        await client.execute("UPDATE bill SET amt = 8, note = '' WHERE id = 2")
    assert await pair(url, 1) == (7, 7)
    assert await pair(url, 2) == (8, 8)


NAMED = {
    "as it was": ("UPDATE bill SET amt = amt", 1),
    "no row": ("UPDATE bill SET amt = 1 WHERE false", 1),
    "both equal": ("UPDATE bill SET amt = 7, amount_cents = 7", 1),
    "in a function": ("DO $$ BEGIN EXECUTE 'UPDATE bill SET amt = 5'; END $$", 1),
    "through a view": ("UPDATE seen SET amt = 5", 1),
    "by a rule": ("INSERT INTO ordered VALUES (5)", 1),
    "by a trigger of another table": ("INSERT INTO other VALUES (5)", 1),
    "on conflict": (
        "INSERT INTO bill (id, amount_cents) VALUES (1, 5) ON CONFLICT (id) DO UPDATE SET amt = 5",
        1,
    ),
    "merge": (
        (
            "MERGE INTO bill AS b USING (VALUES (1), (9)) AS v (id) ON b.id = v.id"
            " WHEN MATCHED THEN UPDATE SET amount_cents = 5"
            " WHEN NOT MATCHED THEN INSERT (id, amt) VALUES (v.id, 3)"
        ),
        1,
    ),
    "new": ("UPDATE bill SET amount_cents = 5", 0),
    "another column": ("UPDATE bill SET note = 'amt'", 0),
    "through a view without it": ("INSERT INTO plain VALUES (9)", 0),
}


async def test_an_update_counts_by_what_it_named(url: URL) -> None:
    counts, differ = {}, "SELECT count(*) FROM bill WHERE amt <> amount_cents"
    async with renaming(url) as rename, connected(url) as client:
        await verified(rename)
        await execute(
            url,
            "CREATE TABLE other (amt bigint)",
            "CREATE VIEW seen AS SELECT id, amt FROM bill",
            "CREATE VIEW plain AS SELECT id FROM bill",
            "CREATE TABLE ordered (amt bigint)",
            "CREATE RULE r AS ON INSERT TO ordered DO INSTEAD UPDATE bill SET amt = NEW.amt",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN UPDATE bill SET amt = NEW.amt; RETURN NEW; END'",
            "CREATE TRIGGER t AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION f()",
        )
        for named, (statement, _) in NAMED.items():
            counts[named] = await counted(rename, url, statement)
            assert await client.fetchval(differ) == 0, named
            await execute(url, "DELETE FROM bill WHERE id = 9")
    assert counts == {named: count for named, (_, count) in NAMED.items()}


async def test_copy_counts_by_its_columns(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        await rename.expand()
        for columns, record, count in (
            (["id", "amt"], (9, 3), 1),
            (["id", "amount_cents"], (10, 4), 0),
            (["id"], (11,), 0),
            (None, (12, 5, "", 5), 1),
        ):
            before = (await rename.status()).old_writes
            await client.copy_records_to_table("bill", records=[record], columns=columns)
            assert (await rename.status()).old_writes - before == count
        rows = await client.fetch("SELECT amt, amount_cents FROM bill WHERE id > 8 ORDER BY id")
        assert [tuple(row) for row in rows] == [(3, 3), (4, 4), (3, 3), (5, 5)]


async def test_a_statement_prepared_before_the_expand_counts_after_it(url: URL) -> None:
    async with renaming(url) as rename, connected(url) as client:
        insert = await client.prepare("INSERT INTO bill (id, amt) VALUES ($1, 3)")
        await insert.fetch(8)
        await rename.expand()
        await insert.fetch(9)
        assert (await rename.status()).old_writes == 1
        assert await pair(url) == (3, 3)


SKIP = """
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.note = 'skip' THEN RETURN NULL; END IF;
    IF NEW.note = 'again' THEN INSERT INTO bill (id) VALUES (NEW.id + 100); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE INSERT ON bill FOR EACH ROW EXECUTE FUNCTION skip()
"""


async def test_a_row_that_another_trigger_skips_leaves_nothing_behind(url: URL) -> None:
    await execute(url, SKIP)
    async with renaming(url) as rename, connected(url) as client:
        await rename.expand()
        await client.execute("BEGIN; INSERT INTO bill (id, note) VALUES (8, 'skip')")
        await client.execute("INSERT INTO bill (id, amount_cents) VALUES (9, 5)")
        await client.execute("UPDATE bill SET amt = DEFAULT WHERE id = 1")
        await client.execute("INSERT INTO bill (id, amount_cents) VALUES (10, 6); COMMIT")
        assert await pair(url) == (5, 5)
        assert await pair(url, 10) == (6, 6)
        assert (await rename.status()).old_writes == 1


async def test_an_insert_within_an_insert_has_names_of_its_own(url: URL) -> None:
    await execute(url, SKIP)
    async with renaming(url) as rename:
        await rename.expand()
        insert = "INSERT INTO bill (id, amount_cents, note) VALUES (9, 5, 'again')"
        assert await counted(rename, url, insert) == 0
        assert (await pair(url), await pair(url, 109)) == ((5, 5), (3, 3))


CASCADES = {
    "ON DELETE SET NULL": ("DELETE FROM customer WHERE id = {}", None),
    "ON DELETE SET DEFAULT": ("DELETE FROM customer WHERE id = {}", 3),
    "ON UPDATE CASCADE": ("UPDATE customer SET id = 11 WHERE id = {}", 11),
}


@pytest.mark.parametrize("action", CASCADES)
@pytest.mark.parametrize("url", ["none"], indirect=True)
async def test_what_a_foreign_key_does_is_no_old_code(url: URL, action: str) -> None:
    statement, value = CASCADES[action]
    await execute(
        url,
        "ALTER TABLE bill ALTER amt SET DEFAULT 3",
        "CREATE TABLE customer (id bigint PRIMARY KEY)",
        "INSERT INTO customer VALUES (3), (10), (20)",
        f"ALTER TABLE bill ADD FOREIGN KEY (amt) REFERENCES customer {action}",
    )
    async with verified_rename(url) as rename:
        assert await counted(rename, url, statement.format(10)) == 0
        assert await pair(url, 1) == (value, value)
        if "DELETE" in action:
            in_a_function = f"DO $$ BEGIN {statement.format(20)}; END $$"
            assert await counted(rename, url, in_a_function) == 0
            assert await pair(url, 2) == (value, value)
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)


async def defaults(url: URL) -> list[tuple[str, ...]]:
    async with connected(url) as client:
        return [
            tuple(row)
            for row in await client.fetch(
                "SELECT adrelid::regclass::text, attname, pg_get_expr(adbin, adrelid)"
                " FROM pg_attrdef JOIN pg_attribute ON (attrelid, attnum) = (adrelid, adnum)"
                " WHERE adrelid::regclass::text ~ '^bill|^p[12]' ORDER BY 1, 2"
            )
        ]


@pytest.mark.parametrize("url", ["3", "sequence", "none"], indirect=True)
async def test_a_rollback_gives_the_column_its_default_back(url: URL) -> None:
    before = await defaults(url)
    async with renaming(url) as rename:
        await rename.expand()
        await rename.rollback()
    assert await defaults(url) == before


PARTITIONS = [
    "DROP TABLE bill",
    (
        "CREATE TABLE bill (id bigint, amt bigint DEFAULT CASE WHEN true THEN 3 END, note text,"
        " part int DEFAULT 1) PARTITION BY LIST (part)"
    ),
    "CREATE TABLE p1 PARTITION OF bill FOR VALUES IN (1)",
    "CREATE TABLE p2 PARTITION OF bill FOR VALUES IN (2)",
    "ALTER TABLE p2 ALTER amt SET DEFAULT 2",
    "INSERT INTO bill (id, amt) VALUES (1, 10)",
]


async def test_every_partition_keeps_its_own_default(url: URL) -> None:
    await execute(url, *PARTITIONS)
    before = await defaults(url)
    async with renaming(url) as rename:
        await rename.expand()
        assert await counted(rename, url, "INSERT INTO p2 (id, part) VALUES (9, 2)") == 0
        assert await pair(url) == (2, 2)
        await rename.rollback()
        assert await defaults(url) == before
        await verified(rename)
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
    assert await defaults(url) == [(t, c.replace("amt", "amount_cents"), d) for t, c, d in before]


async def test_a_row_that_moves_to_another_partition_does_not_count(url: URL) -> None:
    await execute(url, *PARTITIONS)
    async with verified_rename(url) as rename:
        both = "INSERT INTO bill (id, amt, amount_cents) VALUES (9, 5, 5)"
        move = "UPDATE bill SET part = 3 - part WHERE id = 1"
        assert await counted(rename, url, move) == 0
        assert await counted(rename, url, f"BEGIN; {both}; {move}; {move}; COMMIT") == 1


DIRECT = [
    "INSERT INTO p2 (id, part, amt) VALUES (9, 2, 2)",
    "INSERT INTO p2 (id, part, amt, amount_cents) VALUES (9, 2, 5, 5)",
    "UPDATE p1 SET amt = amt WHERE false",
]


async def test_a_write_to_a_partition_itself_counts(url: URL) -> None:
    await execute(url, *PARTITIONS)
    async with renaming(url) as rename:
        await rename.expand()
        for statement in DIRECT:
            assert await counted(rename, url, statement) == 1, statement
            await execute(url, "DELETE FROM bill WHERE id = 9")


async def test_a_partition_that_came_since_is_named_until_it_is_seen_to(url: URL) -> None:
    await execute(url, *PARTITIONS)
    async with verified_rename(url) as rename:
        await execute(
            url,
            "CREATE TABLE p4 (LIKE bill)",
            "ALTER TABLE bill ATTACH PARTITION p4 FOR VALUES IN (4)",
            "CREATE TABLE p5 PARTITION OF bill FOR VALUES IN (5)",
        )
        assert await counted(rename, url, "INSERT INTO p4 (id, part, amt) VALUES (9, 4, 5)") == 1
        assert await counted(rename, url, "INSERT INTO p4 VALUES (10, 5, '', 4, 5)") == 0
        assert (await pair(url), await pair(url, 10)) == ((5, 5), (5, 5))
        objections = [
            objection
            for objection in (await rename.gate()).objections
            if objection.slug == "triggers"
        ]
        assert {objection.subject.partition(":")[0] for objection in objections} == {
            "public.p4",
            "public.p5",
        }
        await rename.expand()
        await gate_opens(rename)


async def test_a_default_that_was_changed_meanwhile_is_the_one_that_remains(url: URL) -> None:
    async with verified_rename(url) as rename:
        await execute(url, "ALTER TABLE bill ALTER amt SET DEFAULT 4")
        (objection,) = (await rename.gate()).objections
        assert objection.subject.endswith("default of amt")
        await rename.expand()
        assert await counted(rename, url, "INSERT INTO bill (id) VALUES (9)") == 0
        assert await pair(url) == (4, 4)
        await gate_opens(rename)
        await rename.contract(confirm=CONFIRM)
    assert await defaults(url) == [("bill", "amount_cents", "4")]
