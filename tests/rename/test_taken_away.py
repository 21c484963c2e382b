"""What DDL takes away from the old column while a rename is under way is taken from the new one.

The twin is renamed by PostgreSQL, and the same DDL is run on it: what the catalog says of it, and
what pg_dump writes, judges.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from invoicing.toolkit.postgres import find_installations
from invoicing.toolkit.rename.errors import ContractRefusedError
from tests.conftest import execute, server_names
from tests.rename import twin
from tests.rename.bills import verified
from tests.rename.faults import connected
from tests.rename.test_copies import PARTITIONED, PLAIN, on

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from sqlalchemy.engine import URL

    from invoicing.toolkit.rename import Rename

LIST = ["CREATE TABLE list (id bigint PRIMARY KEY)", "INSERT INTO list VALUES (1)"]
CHECK = "ALTER TABLE thing ADD CONSTRAINT ck CHECK (amt > 0)"
KEY = "ALTER TABLE thing ADD CONSTRAINT listed FOREIGN KEY (amt) REFERENCES list"
UNIQUE = "ALTER TABLE thing ADD CONSTRAINT once UNIQUE (id, amt)"
STATISTICS = "CREATE STATISTICS pair ON id, amt FROM thing"
# What is on the column, and what is done in the window.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "NOT NULL dropped": (
        ["ALTER TABLE thing ALTER amt SET NOT NULL"],
        ["ALTER TABLE thing ALTER amt DROP NOT NULL"],
    ),
    "CHECK dropped": ([CHECK], ["ALTER TABLE thing DROP CONSTRAINT ck"]),
    "CHECK changed": (
        [CHECK],
        [
            "ALTER TABLE thing DROP CONSTRAINT ck",
            "ALTER TABLE thing ADD CONSTRAINT ck CHECK (amt > -5)",
        ],
    ),
    "CHECK renamed": ([CHECK], ["ALTER TABLE thing RENAME CONSTRAINT ck TO positive_amt"]),
    "CHECK NOT VALID again": (
        [CHECK],
        [
            "ALTER TABLE thing DROP CONSTRAINT ck",
            "ALTER TABLE thing ADD CONSTRAINT ck CHECK (amt > 0) NOT VALID",
        ],
    ),
    "UNIQUE dropped": ([UNIQUE], ["ALTER TABLE thing DROP CONSTRAINT once"]),
    "UNIQUE deferrable": (
        [UNIQUE],
        ["ALTER TABLE thing DROP CONSTRAINT once", f"{UNIQUE} DEFERRABLE INITIALLY DEFERRED"],
    ),
    "foreign key dropped": ([*LIST, KEY], ["ALTER TABLE thing DROP CONSTRAINT listed"]),
    "foreign key deferrable": (
        [*LIST, KEY],
        ["ALTER TABLE thing ALTER CONSTRAINT listed DEFERRABLE INITIALLY DEFERRED"],
    ),
    "index dropped": (
        ["CREATE INDEX plain ON thing (amt)", "CREATE INDEX thing_amt ON thing (abs(amt))"],
        ["DROP INDEX plain", "DROP INDEX thing_amt"],
    ),
    "index made again": (
        ["CREATE INDEX plain ON thing (amt)"],
        ["DROP INDEX plain", "CREATE INDEX plain ON thing (amt DESC) WHERE amt > 3"],
    ),
    "statistics dropped": ([STATISTICS], ["DROP STATISTICS pair"]),
    "statistics by another target": ([STATISTICS], ["ALTER STATISTICS pair SET STATISTICS 50"]),
    "comment taken away": (
        ["COMMENT ON COLUMN thing.amt IS 'in cents'"],
        ["COMMENT ON COLUMN thing.amt IS NULL"],
    ),
    "comment changed": (
        ["COMMENT ON COLUMN thing.amt IS 'in cents'"],
        ["COMMENT ON COLUMN thing.amt IS 'in euros'"],
    ),
    "statistics target and options": (
        [
            "ALTER TABLE thing ALTER amt SET STATISTICS 70",
            "ALTER TABLE thing ALTER amt SET (n_distinct = 7, n_distinct_inherited = 8)",
        ],
        [
            "ALTER TABLE thing ALTER amt SET STATISTICS -1",
            "ALTER TABLE thing ALTER amt RESET (n_distinct)",
            "ALTER TABLE thing ALTER amt SET (n_distinct_inherited = 9)",
        ],
    ),
    "default dropped": (
        ["ALTER TABLE thing ALTER amt SET DEFAULT 5"],
        ["ALTER TABLE thing ALTER amt DROP DEFAULT"],
    ),
    "default changed": (
        ["ALTER TABLE thing ALTER amt SET DEFAULT 5"],
        ["ALTER TABLE thing ALTER amt SET DEFAULT 6"],
    ),
    "privilege revoked": (
        ["GRANT SELECT (amt), UPDATE (amt) ON thing TO {x}, PUBLIC"],
        ["REVOKE SELECT (amt) ON thing FROM {x}", "REVOKE UPDATE (amt) ON thing FROM PUBLIC"],
    ),
    "grant option revoked": (
        ["GRANT SELECT (amt) ON thing TO {x} WITH GRANT OPTION"],
        ["REVOKE GRANT OPTION FOR SELECT (amt) ON thing FROM {x}"],
    ),
    "grantor": (
        [
            "GRANT SELECT (amt), INSERT (amt) ON thing TO {x} WITH GRANT OPTION",
            "SET ROLE {x}; GRANT SELECT (amt) ON thing TO {y} WITH GRANT OPTION; RESET ROLE",
            "SET ROLE {y}; GRANT SELECT (amt) ON thing TO PUBLIC; RESET ROLE",
        ],
        ["SET ROLE {x}; GRANT INSERT (amt) ON thing TO {y}; RESET ROLE"],
    ),
    "what a grantor granted": (
        [
            "GRANT SELECT (amt), INSERT (amt) ON thing TO {x} WITH GRANT OPTION",
            "SET ROLE {x}; GRANT SELECT (amt), INSERT (amt) ON thing TO {y}; RESET ROLE",
        ],
        [
            "REVOKE SELECT (amt) ON thing FROM {x} CASCADE",
            "SET ROLE {x}; REVOKE INSERT (amt) ON thing FROM {y}; RESET ROLE",
        ],
    ),
}
OF_PARTITIONS: dict[str, tuple[list[str], list[str]]] = {
    "a partition's own": (
        [
            "ALTER TABLE high ALTER amt SET NOT NULL",
            "ALTER TABLE low ADD CONSTRAINT ck CHECK (amt > 0)",
            "CREATE INDEX own ON low (amt)",
            "COMMENT ON COLUMN high.amt IS 'why'",
            "ALTER TABLE low ALTER amt SET STATISTICS 70",
            "GRANT SELECT (amt) ON low TO {x} WITH GRANT OPTION",
            "SET ROLE {x}; GRANT SELECT (amt) ON low TO {y}; RESET ROLE",
            "CREATE STATISTICS of_low ON id, amt FROM low",
        ],
        [
            "ALTER TABLE high ALTER amt DROP NOT NULL",
            "ALTER TABLE low DROP CONSTRAINT ck",
            "DROP INDEX own",
            "COMMENT ON COLUMN high.amt IS NULL",
            "ALTER TABLE low ALTER amt SET STATISTICS -1",
            "REVOKE SELECT (amt) ON low FROM {x} CASCADE",
            "DROP STATISTICS of_low",
        ],
    ),
}
TEXT: dict[str, tuple[list[str], list[str]]] = {
    "storage and compression": (
        [
            "ALTER TABLE thing ALTER amt SET STORAGE EXTERNAL",
            "ALTER TABLE thing ALTER amt SET COMPRESSION pglz",
        ],
        [
            "ALTER TABLE thing ALTER amt SET STORAGE EXTENDED",
            "ALTER TABLE thing ALTER amt SET COMPRESSION default",
        ],
    ),
    "storage changed": (
        ["ALTER TABLE thing ALTER amt SET STORAGE EXTERNAL"],
        ["ALTER TABLE thing ALTER amt SET STORAGE MAIN"],
    ),
    "index parameters": (
        [
            "CREATE INDEX plain ON thing (upper(amt)) WITH (fillfactor = 70)",
            "ALTER INDEX plain ALTER COLUMN 1 SET STATISTICS 60",
        ],
        [
            "ALTER INDEX plain SET (fillfactor = 80)",
            "ALTER INDEX plain ALTER COLUMN 1 SET STATISTICS 50",
        ],
    ),
}
# On the older servers test_pg_dump_writes_the_same_of_both has those of a plain table together.
CHANGES = [
    (server, name, kind, *case)
    for server in server_names()
    for kind, cases in (("plain", CASES), ("partitioned", CASES | OF_PARTITIONS), ("text", TEXT))
    for name, case in cases.items()
    if kind != "plain" or server == server_names()[0]
]


@asynccontextmanager
async def two_roles(url: URL) -> AsyncIterator[tuple[str, str]]:
    """Yield two accounts that may look into both schemas."""
    roles = f"x_{uuid4().hex[:8]}", f"y_{uuid4().hex[:8]}"
    await execute(url, *(f"CREATE ROLE {role}" for role in roles))
    try:
        yield roles
    finally:
        for role in roles:
            await execute(url, f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def for_roles(statements: Iterable[str], roles: tuple[str, str]) -> list[str]:
    return [text.replace("{x}", roles[0]).replace("{y}", roles[1]) for text in statements]


async def run_on_both(url: URL, statements: Iterable[str]) -> None:
    for schema in (twin.OURS, twin.TWIN):
        await twin.execute_in(url, schema, *statements)


def tables(kind: str) -> list[str]:
    made = {"plain": PLAIN, "text": PLAIN, "partitioned": PARTITIONED}[kind]
    shown = 'GRANT USAGE ON SCHEMA "{schema}" TO PUBLIC'
    return on([*made, shown], type_="text" if kind == "text" else "bigint")


def without_order(text: str) -> list[str]:
    """Return a dump's lines, sorted, for the order of columns is another."""
    text = re.sub(r"(?m)^(--.*|\\\w*restrict.*|SET .*|)\n", "", text)
    text = re.sub(
        r"(STATISTICS .* ON )(\w+), (\w+)", lambda m: m[1] + str(sorted(m.groups()[1:])), text
    )
    return sorted(line.strip().rstrip(",") for line in text.splitlines())


def dumped(url: URL, schema: str) -> list[str]:
    """Return what pg_dump writes of a schema, under a name that both have."""
    newest = max(find_installations(), key=lambda installation: installation.major)
    command = [newest.bin_dir / "pg_dump", "-s", "--schema", f'"{schema}"', "--dbname"]
    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    text = subprocess.run([*command, target], check=True, capture_output=True, text=True).stdout
    return without_order(text.replace(f'"{schema}"', "s").replace(schema, "s"))


async def assert_as_the_twin(url: URL, rename: Rename) -> None:
    """Contract, and compare with the twin."""
    expected = await twin.of_the_twin(url, "amt", "cents")
    await rename.contract(confirm="thing.amt")
    assert await twin.described(url, twin.OURS) == expected


@pytest.mark.parametrize(
    ("server_url", "kind", "before", "window"),
    [(server, *case) for server, _, *case in CHANGES],
    ids=[f"{server}-{name}, {kind}" for server, name, kind, *_ in CHANGES],
    indirect=["server_url"],
)
async def test_the_next_verify_takes_it_from_the_new_column(
    empty_database_url: URL, kind: str, before: list[str], window: list[str]
) -> None:
    url = empty_database_url
    async with two_roles(url) as roles, twin.renaming(url) as rename:
        await twin.make_twins(url, [*tables(kind), *for_roles(before, roles)])
        await verified(rename)
        await run_on_both(url, for_roles(window, roles))
        assert (await rename.verify()).ok
        await assert_as_the_twin(url, rename)


# Together on one table, under names that have no column's in them.
DROPPED = ["CHECK dropped", "UNIQUE dropped", "foreign key dropped", "index dropped"]
DROPPED += ["statistics dropped", "comment taken away", "default dropped", "what a grantor granted"]
CHANGED = ["CHECK changed", "UNIQUE deferrable", "foreign key deferrable", "index made again"]
CHANGED += ["comment changed", "default changed", "grantor", "statistics target and options"]


@pytest.mark.parametrize("names", [DROPPED, CHANGED], ids=["dropped", "changed"])
async def test_pg_dump_writes_the_same_of_both(empty_database_url: URL, names: list[str]) -> None:
    url = empty_database_url
    before, window = ([text for name in names for text in CASES[name][part]] for part in (0, 1))
    async with two_roles(url) as roles, twin.renaming(url) as rename:
        await twin.make_twins(url, [*tables("plain"), *for_roles(before, roles)])
        await rename.expand()
        await run_on_both(url, for_roles(window, roles))
        await verified(rename)
        await twin.of_the_twin(url, "amt", "cents")
        await rename.contract(confirm="thing.amt")
        assert dumped(url, twin.OURS) == dumped(url, twin.TWIN)


@pytest.mark.parametrize("name", ["CHECK dropped", "index made again", "NOT NULL dropped"])
async def test_the_gate_is_closed_until_a_verify(empty_database_url: URL, name: str) -> None:
    url = empty_database_url
    before, window = CASES[name]
    await twin.make_twins(url, [*tables("plain"), *before])
    async with twin.renaming(url) as rename:
        await verified(rename)
        await run_on_both(url, window)
        objections = (await rename.gate()).objections
        assert {objection.slug for objection in objections} == {"unfinished"}
        assert all("rename verify" in objection.message for objection in objections)
        with pytest.raises(ContractRefusedError):
            await rename.contract(confirm="thing.amt")
        report = await rename.verify()
        assert report.reconciled
        assert (await rename.gate()).open
        assert (await rename.verify()).reconciled == []
        assert (await rename.status()).reconciled


@pytest.mark.parametrize("name", ["comment changed", "privilege revoked", "what a grantor granted"])
async def test_the_contract_takes_over_what_a_lock_is_enough_for(
    empty_database_url: URL, name: str
) -> None:
    url = empty_database_url
    before, window = CASES[name]
    async with two_roles(url) as roles, twin.renaming(url) as rename:
        await twin.make_twins(url, [*tables("plain"), *for_roles(before, roles)])
        await verified(rename)
        await run_on_both(url, for_roles(window, roles))
        await assert_as_the_twin(url, rename)


@pytest.mark.parametrize("verify_between", [False, True])
async def test_what_was_put_on_the_new_column_by_hand_stays(
    empty_database_url: URL, *, verify_between: bool
) -> None:
    url = empty_database_url
    await twin.make_twins(url, [*tables("plain"), CHECK, "COMMENT ON COLUMN thing.amt IS 'old'"])
    ours = connected(url, search_path=f'"{twin.OURS}"')
    async with twin.renaming(url) as rename, ours as connection:
        await verified(rename)
        for statement in (
            "ALTER TABLE thing DROP CONSTRAINT ck_cents",
            "ALTER TABLE thing ADD CONSTRAINT ck_cents CHECK (cents < 1000)",
            "CREATE INDEX mine ON thing (cents)",
            "COMMENT ON COLUMN thing.cents IS 'mine'",
            "GRANT SELECT (cents) ON thing TO PUBLIC",
        ):
            await connection.execute(statement)
        if verify_between:
            assert (await rename.verify()).reconciled == []
        await connection.execute("ALTER TABLE thing DROP CONSTRAINT ck")
        report = await rename.verify()
        assert any("ck_cents" in line and "stays" in line for line in report.reconciled)
        await rename.contract(confirm="thing.amt")
    rows = await twin.described(url, twin.OURS)
    assert {"ck_cents", "mine"} <= {row[2] for row in rows}
    (column,) = [row[4] for row in rows if row[2] == "cents"]
    assert " mine " in column
    assert ",0,SELECT,f" in column


async def test_a_change_of_each_side_is_named_and_left(empty_database_url: URL) -> None:
    url = empty_database_url
    await twin.make_twins(url, [*tables("plain"), "COMMENT ON COLUMN thing.amt IS 'old'"])
    ours = connected(url, search_path=f'"{twin.OURS}"')
    async with twin.renaming(url) as rename, ours as connection:
        await verified(rename)
        await connection.execute("COMMENT ON COLUMN thing.amt IS 'by old'")
        await connection.execute("COMMENT ON COLUMN thing.cents IS 'by new'")
        (line,) = (await rename.verify()).reconciled
        assert "comment" in line
        assert "stays" in line


async def test_a_killed_verify_knows_what_it_made(
    empty_database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = empty_database_url
    await twin.make_twins(url, [*tables("plain"), CHECK])
    async with twin.renaming(url) as rename:
        await rename.expand()
        await rename.backfill()
        with monkeypatch.context() as patch:
            patch.setattr("invoicing.toolkit.rename.columns.verify.describe", None)
            with pytest.raises(TypeError):
                await rename.verify()
        await run_on_both(url, ["ALTER TABLE thing DROP CONSTRAINT ck"])
        await verified(rename)
        await assert_as_the_twin(url, rename)


async def test_a_grantor_that_may_not_be_acted_for_is_named(empty_database_url: URL) -> None:
    url = empty_database_url
    async with two_roles(url) as roles, two_roles(url) as (owner, _):
        await twin.make_twins(url, [*tables("plain"), *for_roles(CASES["grantor"][0], roles)])
        await execute(
            url,
            f"ALTER ROLE {owner} LOGIN",
            f"GRANT CREATE ON DATABASE {url.database} TO {owner}",
            f'ALTER SCHEMA "{twin.OURS}" OWNER TO {owner}',
            f'ALTER TABLE "{twin.OURS}".thing OWNER TO {owner}',
        )
        async with twin.renaming(url.set(username=owner)) as rename:
            said = [str(finding) for finding in (await rename.plan()).findings]
            assert any(f"GRANT {roles[0]} TO" in line for line in said)
            await verified(rename)
            assert (await rename.verify()).reconciled == []
