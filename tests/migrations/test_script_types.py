"""A type that changes by a script for psql, judged by an ALTER COLUMN ... TYPE of a twin."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from invoicing.db import Database
from invoicing.errors import UsageError
from invoicing.settings import Settings
from invoicing.toolkit.rename import Options, Rename, Target, type_of
from tests.conftest import execute
from tests.migrations.loans import fetch, version
from tests.migrations.project import make_project, psql, write_script

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL

# The former type, with what is declared; some values; the new type and how values are converted.
CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "wider": ("int NOT NULL DEFAULT 7", "1, -2, 2147483647", {"type_": "bigint"}),
    "cents": (
        "numeric(10, 2) NOT NULL DEFAULT 1.5",
        "0, 1.25, -3.1",
        {"type_": "bigint", "using": "round(fee * 100)", "back": "{new} / 100.0"},
    ),
    "rounded": ("bigint", "0, 12, NULL", {"type_": "numeric(12, 2)"}),
    "text": (
        "text NOT NULL",
        "'7', '12'",
        {"type_": "int", "using": "fee::int", "back": "{new}::text"},
    ),
    "limited": ("text DEFAULT 'x''y'", "'it''s', '', NULL", {"type_": "varchar(20)"}),
    "padded": ("char(5)", "'ab', NULL", {"type_": "text"}),
    "moment": (
        "timestamptz",
        "'2026-01-31 12:00+02', NULL",
        {
            "type_": "timestamp",
            "using": "fee AT TIME ZONE 'UTC'",
            "back": "{new} AT TIME ZONE 'UTC'",
        },
    ),
    "array": ("int[]", "'{1,NULL}', '{}', NULL", {"type_": "bigint[]"}),
    "json": ("json", """'{"a": 1}', NULL""", {"type_": "jsonb"}),
}
SHAPE = """SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull,
    pg_get_expr(adbin, adrelid)), ', ' ORDER BY attname) FROM pg_attribute
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = '{}'::regclass AND attnum > 0 AND NOT attisdropped"""

# They have names since PostgreSQL 18.
NOT_NULLS = """SELECT string_agg(conname, ', ' ORDER BY conname) FROM pg_constraint
WHERE conrelid = '{}'::regclass AND contype = 'n'"""


@pytest.fixture
async def server_url(newest_server_url: URL) -> URL:
    """Return the newest server: what is tested is SQL and plpgsql that every version has."""
    return newest_server_url


def steps(new: str | None, **types: str) -> tuple[tuple[str, str], ...]:
    """Return a project's revisions: with a new name, or of the type alone."""
    given = {name: text.format(new=new or "fee") for name, text in types.items()}
    what = '"loan", "fee", sa.Integer()' if new is None else f'"loan", "fee", "{new}", sa.Integer()'
    arguments = f"{what}, **{given!r}"
    kind = "retype" if new is None else "rename"
    return (
        ("pass", "pass"),
        (f"op.expand_{kind}({arguments})", f"op.rollback_{kind}({arguments})"),
        (f"op.contract_{kind}({arguments})", f"op.restore_{kind}({arguments})"),
    )


async def make(url: URL, declared: str, values: str) -> None:
    listed = ", ".join(f"({value})" for value in values.split(", "))
    await execute(
        url,
        "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)",
        "INSERT INTO alembic_version VALUES ('001')",
        *(
            statement
            for table in ("loan", "twin")
            for statement in (
                f"CREATE TABLE {table} (id int GENERATED ALWAYS AS IDENTITY, fee {declared})",
                f"INSERT INTO {table} (fee) VALUES {listed}",
            )
        ),
    )


async def rows(url: URL, table: str, column: str) -> Any:
    query = f"SELECT json_agg({column}::text ORDER BY id) FROM {table}"
    return json.loads(await fetch(url, query))


def ran(url: URL, config: Config, revisions: str, **given: Any) -> None:
    done = psql(url, write_script(config, revisions, **given))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


@pytest.mark.parametrize("new", [None, "fee_new"])
@pytest.mark.parametrize("case", CASES)
async def test_a_script_leaves_what_alter_type_leaves(
    empty_database_url: URL, tmp_path: Path, case: str, new: str | None
) -> None:
    url, (declared, values, types) = empty_database_url, CASES[case]
    await make(url, declared, values)
    config, name = make_project(tmp_path / "project", *steps(new, **types)), new or "fee"
    before = await fetch(url, SHAPE.format("loan"))
    ran(url, config, "001:002")
    # Back before the contract nothing is left of it; and it may be run again.
    ran(url, config, "002:001")
    assert await fetch(url, SHAPE.format("loan")) == before
    assert await fetch(url, "SELECT to_regnamespace('invoicing_rename')") is None
    ran(url, config, "001:002")
    # A run reads from the rename's row how it was begun, and finds it in order.
    async with Database(url, Settings()) as database:
        target = Target("loan", "fee", new) if new else type_of("loan", "fee")
        change = Rename(database, target, Options(quiet=0.0))
        assert (await change.verify()).ok
        assert (await change.gate()).open
    await execute(url, "INSERT INTO loan (fee) SELECT fee FROM twin ORDER BY id LIMIT 1")
    await execute(url, "INSERT INTO twin (fee) SELECT fee FROM twin ORDER BY id LIMIT 1")
    ran(url, config, "002:003")
    using = types.get("using", "fee").format(new=name)
    alter = f"ALTER fee TYPE {types['type_']} USING {using}"
    if "DEFAULT" in declared and "using" in types:
        alter = f"ALTER fee DROP DEFAULT, {alter}"
    await execute(
        url,
        f"ALTER TABLE twin {alter}",
        *([f"ALTER TABLE twin RENAME fee TO {new}"] if new else []),
    )
    assert await rows(url, "loan", name) == await rows(url, "twin", name)
    shapes = [await fetch(url, SHAPE.format(table)) for table in ("loan", "twin")]
    if case == "cents":
        # A plain ALTER leaves a default as it is, or has none: ours is converted.
        assert shapes[0].replace(" 150::bigint", "").replace(" '150'::bigint", "") == shapes[1]
    else:
        assert shapes[0] == shapes[1]
    if new is None:
        named = [await fetch(url, NOT_NULLS.format(table)) for table in ("loan", "twin")]
        assert named[0] == (named[1] and named[1].replace("twin", "loan"))
    assert await version(url) == "003"
    assert await fetch(url, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0
    # A script that has run does nothing when it is run again, but for the version.
    await execute(url, "UPDATE alembic_version SET version_num = '002'")
    ran(url, config, "002:003")
    assert await rows(url, "loan", name) == await rows(url, "twin", name)


async def test_writers_get_what_they_get_of_a_run(empty_database_url: URL, tmp_path: Path) -> None:
    url = empty_database_url
    await make(url, "numeric(10, 3) NOT NULL", "1.25, 0.005")
    types = {"type_": "bigint", "using": "round(fee * 100)", "back": "cents / 100.0"}
    config = make_project(tmp_path / "project", *steps("cents", **types))
    ran(url, config, "001:002")
    await execute(url, "INSERT INTO loan (fee) VALUES (2.5)", "INSERT INTO loan (cents) VALUES (7)")
    for statement in (
        "INSERT INTO loan (fee) VALUES (1.005)",
        "UPDATE loan SET fee = 3.001 WHERE id = 1",
        "UPDATE loan SET cents = 99999999999 WHERE id = 1",
    ):
        with pytest.raises(asyncpg.PostgresError, match=r"loan\.(fee|cents)"):
            await execute(url, statement)
    said = psql(url, write_script(config, "002:003")).stderr
    assert "1 rows of loan have a value of fee that cannot be computed back" in said
    await execute(url, "UPDATE loan SET fee = 0.01 WHERE id = 2")
    ran(url, config, "002:003")
    assert await rows(url, "loan", "cents") == ["125", "1", "250", "7"]


REFUSED = {
    "no type": ({"type_": "nothing"}, "", 'type "nothing" does not exist'),
    "another column": ({"type_": "bigint", "using": "fee + id"}, "", "reads another column"),
    "by chance": ({"type_": "bigint", "using": "fee + random()"}, "", "not immutable"),
    "by setting": ({"type_": "date", "using": "to_timestamp(fee)"}, "", "immutable"),
    "no way back": ({"type_": "text"}, "", "cannot change the type"),
    "a domain": ({"type_": "cents"}, "CREATE DOMAIN cents AS bigint", "a domain"),
    "the same": ({"type_": "int"}, "", "has that type already"),
    "an index": ({"type_": "bigint"}, "CREATE INDEX ON loan (fee)", "a script cannot copy"),
    "a default": (
        {"type_": "bigint", "using": "fee * 2", "back": "{new} / 2"},
        "ALTER TABLE loan ALTER fee SET DEFAULT date_part('day', now())::int",
        "is no constant",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_a_run_refuses_a_script_refuses(
    empty_database_url: URL, tmp_path: Path, case: str
) -> None:
    url, (types, also, said) = empty_database_url, REFUSED[case]
    await make(url, "int", "1, 2")
    await execute(url, *([also] if also else []))
    before = await fetch(url, SHAPE.format("loan"))
    # A column of the type alone that has it already is left as it is.
    names = ("fee_new",) if case == "the same" else (None, "fee_new")
    for number, new in enumerate(names):
        config = make_project(tmp_path / f"project{number}", *steps(new, **types))
        failed = psql(url, write_script(config, "001:003"))
        assert said in failed.stderr, failed.stderr
        assert failed.returncode
        assert await fetch(url, SHAPE.format("loan")) == before
        assert await version(url) == "001"


async def test_a_type_that_is_there_and_a_table_without_rows_need_nothing(
    empty_database_url: URL, tmp_path: Path
) -> None:
    url = empty_database_url
    await make(url, "int", "1")
    there = make_project(tmp_path / "there", *steps(None, type_="integer"))
    before = await fetch(url, SHAPE.format("loan"))
    ran(url, there, "001:003")
    assert await fetch(url, SHAPE.format("loan")) == before
    await execute(url, "DELETE FROM loan", "UPDATE alembic_version SET version_num = '001'")
    config = make_project(tmp_path / "empty", *steps(None, type_="bigint"))
    ran(url, config, "001:003", confirm=None)
    await execute(url, "UPDATE alembic_version SET version_num = '001'")
    ran(url, config, "001:003", confirm=None)
    assert "fee bigint" in await fetch(url, SHAPE.format("loan"))


async def test_one_change_is_not_ended_as_another(empty_database_url: URL, tmp_path: Path) -> None:
    url = empty_database_url
    await make(url, "int", "1, 2")
    begun = make_project(tmp_path / "begun", *steps("euro", type_="bigint"))
    ran(url, begun, "001:002")
    for number, types in enumerate(({"type_": "numeric"}, {})):
        other = make_project(tmp_path / f"other{number}", *steps("euro", **types))
        for revisions in ("002:003", "002:001"):
            assert "another type or expression" in psql(url, write_script(other, revisions)).stderr
    ran(url, begun, "002:003")


def test_the_way_back_from_a_contract_takes_a_run(tmp_path: Path) -> None:
    for number, new in enumerate((None, "euro")):
        config = make_project(tmp_path / str(number), *steps(new, type_="bigint"))
        with pytest.raises(UsageError, match=r"has to be filled.*without --sql"):
            write_script(config, "003:002")
