"""DDL between the two scripts is on the renamed column after the contract.

The judge is a twin whose column was renamed: the same DDL by its own name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.migrations.loans import fetch, version
from tests.migrations.project import make_project, psql, write_script
from tests.rename.twin import OURS, TWIN, described, make_twins, of_the_twin, renaming
from tests.rename.versions import since_18

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL

TABLE = (
    "CREATE TABLE thing (id bigint PRIMARY KEY, amt text NOT NULL DEFAULT 'x', note text)",
    "INSERT INTO thing SELECT n, n FROM generate_series(1, 99) AS n",
)
ARGUMENTS = f'"thing", "amt", "cents", sa.Text(), schema={OURS!r}'
NAME = f"{OURS}.thing.amt"
GRANT = "GRANT SELECT (amt), UPDATE (amt) ON thing TO PUBLIC, pg_monitor"
OPTION = "GRANT SELECT (amt) ON thing TO pg_monitor WITH GRANT OPTION"
COMMENT = ["COMMENT ON COLUMN thing.amt IS 'it''s'"]
TARGET = ["ALTER TABLE thing ALTER amt SET STATISTICS 33"]
OPTIONS = ["ALTER TABLE thing ALTER amt SET (n_distinct = 5, n_distinct_inherited = -0.5)"]
STORAGE = ["ALTER TABLE thing ALTER amt SET STORAGE EXTERNAL"]
COMPRESSION = ["ALTER TABLE thing ALTER amt SET COMPRESSION pglz"]
CARRIED = {
    "default": ["ALTER TABLE thing ALTER amt SET DEFAULT 'y'"],
    "no default": ["ALTER TABLE thing ALTER amt DROP DEFAULT"],
    "nullable": ["ALTER TABLE thing ALTER amt DROP NOT NULL"],
    "comment": COMMENT,
    "privileges": [GRANT],
    "privilege with a grant option": [OPTION],
    "statistics target": TARGET,
    "options": OPTIONS,
    "storage": STORAGE,
    "compression": COMPRESSION,
    "index": ["CREATE INDEX later ON thing (amt)"],
    "check": ["ALTER TABLE thing ADD CONSTRAINT later_amt CHECK (amt > '')"],
    "unique": ["ALTER TABLE thing ADD UNIQUE (amt)"],
    "statistics": ["CREATE STATISTICS later ON id, amt FROM thing"],
    "generated": ["ALTER TABLE thing ADD later text GENERATED ALWAYS AS (amt || 'x') STORED"],
    "policy": ["CREATE POLICY later ON thing USING (amt > '')"],
    "sequence": ["CREATE SEQUENCE later OWNED BY thing.amt"],
}
# After a verify has taken the first over.
TAKEN_BACK = {
    "comment": (COMMENT, "COMMENT ON COLUMN thing.amt IS NULL"),
    "another comment": (COMMENT, "COMMENT ON COLUMN thing.amt IS 'b'"),
    "privileges": ([GRANT], "REVOKE UPDATE (amt) ON thing FROM PUBLIC, pg_monitor"),
    "a grant option": ([OPTION], "REVOKE GRANT OPTION FOR SELECT (amt) ON thing FROM pg_monitor"),
    "statistics": (TARGET, "ALTER TABLE thing ALTER amt SET STATISTICS -1"),
    "options": (OPTIONS, "ALTER TABLE thing ALTER amt RESET (n_distinct)"),
    "storage": (STORAGE, "ALTER TABLE thing ALTER amt SET STORAGE EXTENDED"),
    "compression": (COMPRESSION, "ALTER TABLE thing ALTER amt SET COMPRESSION default"),
}


@pytest.fixture
def project(tmp_path: Path) -> Config:
    project = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({ARGUMENTS})", "pass"),
        (f"op.contract_rename({ARGUMENTS})", "pass"),
    )
    project.attributes["rename"]["confirm"] = NAME
    return project


async def on_both(url: URL, *statements: str) -> None:
    for schema in (OURS, TWIN):
        path = f'SET search_path = "{schema}"'
        await execute(url, *(f"{path}; {statement}" for statement in statements))


async def expanded(url: URL, project: Config, *more: str) -> None:
    await make_twins(url, [*TABLE, *more])
    await execute(
        url,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('001')",
    )
    ran = psql(url, write_script(project, "001:002", confirm=NAME))
    assert (ran.stderr, await version(url)) == ("", "002")


async def assert_as_the_twin(url: URL, sql: str) -> None:
    ran = psql(url, sql)
    assert (ran.stderr, await version(url)) == ("", "003")
    assert await described(url, OURS) == await of_the_twin(url, "amt", "cents")


@pytest.fixture
async def in_the_window(empty_database_url: URL, project: Config, statements: list[str]) -> URL:
    """Return a database whose twins got the statements after the expand."""
    await expanded(empty_database_url, project)
    await on_both(empty_database_url, *statements)
    return empty_database_url


@pytest.mark.parametrize("statements", CARRIED.values(), ids=CARRIED)
async def test_it_is_as_the_twin_has_it(in_the_window: URL, project: Config) -> None:
    await assert_as_the_twin(in_the_window, write_script(project, "002:003", confirm=NAME))


@pytest.mark.parametrize(("statements", "then"), TAKEN_BACK.values(), ids=TAKEN_BACK)
async def test_what_a_verify_took_over_is_taken_back(
    in_the_window: URL, project: Config, then: str
) -> None:
    url = in_the_window
    async with renaming(url) as rename:
        assert (await rename.verify()).ok
    await on_both(url, then)
    await assert_as_the_twin(url, write_script(project, "002:003", confirm=NAME))


async def test_not_null_that_came_later_is_there(empty_database_url: URL, project: Config) -> None:
    await expanded(empty_database_url, project, "ALTER TABLE thing ALTER amt DROP NOT NULL")
    await on_both(empty_database_url, "ALTER TABLE thing ALTER amt SET NOT NULL")
    sql = write_script(project, "002:003", confirm=NAME)
    await assert_as_the_twin(empty_database_url, sql)


async def test_what_the_new_column_was_given_by_hand_stays(
    empty_database_url: URL, project: Config
) -> None:
    url = empty_database_url
    await expanded(url, project)
    await execute(url, f"COMMENT ON COLUMN \"{OURS}\".thing.cents IS 'new'")
    ran = psql(url, write_script(project, "002:003", confirm=NAME))
    assert (ran.stderr, await version(url)) == ("", "003")
    query = "SELECT count(*) FROM pg_description WHERE description = 'new'"
    assert await fetch(url, query) == 1


@since_18
async def test_the_name_and_the_comment_of_a_not_null_are_as_the_twin_has_them(
    empty_database_url: URL, project: Config
) -> None:
    url = empty_database_url
    await expanded(url, project)
    await on_both(
        url,
        "ALTER TABLE thing RENAME CONSTRAINT thing_amt_not_null TO must",
        "COMMENT ON CONSTRAINT must ON thing IS 'why'",
    )
    await assert_as_the_twin(url, write_script(project, "002:003", confirm=NAME))


ON_NEW = {
    "an index": 'CREATE INDEX by_hand ON "{0}".thing (cents)',
    "a view": 'CREATE VIEW "{0}".by_hand AS SELECT cents FROM "{0}".thing',
}


@pytest.mark.parametrize("statement", ON_NEW.values(), ids=ON_NEW)
async def test_what_was_made_on_the_new_column_by_hand_is_named(
    empty_database_url: URL, project: Config, statement: str
) -> None:
    await expanded(empty_database_url, project)
    await execute(empty_database_url, statement.format(OURS))
    ran = psql(empty_database_url, write_script(project, "002:003", confirm=NAME))
    assert "by_hand" in ran.stderr
    assert await version(empty_database_url) == "002"
