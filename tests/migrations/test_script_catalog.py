"""The script takes what it does from the catalog, and refuses what it cannot carry over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.migrations.loans import SUM, TROUBLE, columns, fetch, total, version, without_stop
from tests.migrations.project import make_project, psql, write_script

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL

OBSTACLES = {
    "trigger of the column": "; ".join(TROUBLE),
    "constraint on the whole row": "ALTER TABLE loan ADD CHECK (loan IS NOT NULL)",
    "name of an index": "CREATE INDEX ON loan (fee); CREATE TABLE loan_fee_cents_idx ()",
    "name of a constraint": (
        "ALTER TABLE loan ADD CONSTRAINT fee_fine CHECK (fee > 0),"
        " ADD CONSTRAINT fee_cents_fine CHECK (id > 0)"
    ),
    "whole row": "CREATE VIEW v AS SELECT id, to_jsonb(l) AS whole FROM loan AS l",
    "row type": "CREATE FUNCTION f(l loan) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "stored row": "CREATE TABLE other (l loan)",
    "rule": "CREATE RULE r AS ON DELETE TO loan DO INSTEAD NOTHING",
    "publication": "CREATE PUBLICATION p FOR TABLE loan",
    "child": "CREATE TABLE child () INHERITS (loan)",
    "trigger's argument": (
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION t('id', 'FEE')"
    ),
    "trigger's function": (
        "CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN NEW.FEE := 1; RETURN NEW; END';"
        "CREATE TRIGGER t BEFORE UPDATE ON loan FOR EACH ROW EXECUTE FUNCTION t()"
    ),
    "name taken": "ALTER TABLE loan ADD fee_cents bigint",
    "domain": (
        "CREATE DOMAIN base AS bigint CHECK (VALUE > 0); CREATE DOMAIN d AS base;"
        "ALTER TABLE loan ALTER fee TYPE d"
    ),
    "domain's default": ("CREATE DOMAIN d AS bigint DEFAULT 1; ALTER TABLE loan ALTER fee TYPE d"),
    "partitioned": ("DROP TABLE loan; CREATE TABLE loan (id int, fee int) PARTITION BY LIST (id)"),
}


@pytest.mark.parametrize("stop", [True, False])
@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
async def test_the_expand_adds_and_stamps_nothing_after_a_preflight_error(
    loans: URL, project: Config, obstacle: str, stop: bool
) -> None:
    await execute(loans, obstacle)
    before = await columns(loans)
    sql = write_script(project, "001:003")
    ran = psql(loans, sql if stop else without_stop(sql))
    assert "ERROR" in ran.stderr
    assert await columns(loans) == before
    assert await version(loans) == "001"
    assert await fetch(loans, "SELECT to_regnamespace('invoicing_rename')") is None


TYPES = {
    "numeric": ("", "numeric(12,2)"),
    "domain": ("CREATE DOMAIN money_amount AS numeric(10,4)", "money_amount"),
    "enum": ("CREATE TYPE odd AS ENUM ('1', '2')", "odd"),
    "quoted": (
        'CREATE SCHEMA "A b"; CREATE TYPE "A b"."T y" AS ENUM (\'1\', \'2\')',
        '"A b"."T y"',
    ),
    "collation": ("", 'varchar(30) COLLATE "C"'),
    "array": ("", "integer[]"),
    "json": ("", "json"),
    "rows of nulls": ("CREATE TYPE pair AS (a int, b int)", "pair"),
}


@pytest.mark.parametrize(("setup", "type_"), TYPES.values(), ids=TYPES)
async def test_the_type_is_the_catalogs_and_not_the_revisions(
    loans: URL, project: Config, setup: str, type_: str
) -> None:
    values = {"json": "'[1]'::text", "integer[]": "'{1}'::text", "pair": "'(,)'::text"}
    plain, value = type_.split(" COLLATE", maxsplit=1)[0], values.get(type_, "'1'::text")
    await execute(
        loans,
        f"{setup}; ALTER TABLE loan DROP fee, ADD fee {type_};"
        f"UPDATE loan SET fee = ({value})::{plain} WHERE id % 7 > 0",
    )
    images = "SELECT string_agg(id || ':' || coalesce({}::text, '-'), ',' ORDER BY id) FROM loan"
    before, kind = await fetch(loans, images.format("fee")), (await columns(loans))["fee"]
    collation = (
        "SELECT attcollation FROM pg_attribute WHERE attrelid = 'loan'::regclass AND attname = '{}'"
    )
    was = await fetch(loans, collation.format("fee"))
    ran = psql(loans, write_script(project, "001:003"), PGOPTIONS="-c search_path=public")
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert (await columns(loans))["fee_cents"] == kind
    assert await fetch(loans, collation.format("fee_cents")) == was
    assert await fetch(loans, images.format("fee_cents")) == before


async def test_another_table_of_the_search_path_ends_the_script(
    loans: URL, project: Config
) -> None:
    await execute(loans, "CREATE SCHEMA tenant", "CREATE TABLE tenant.loan (id int, fee bigint)")
    sql = write_script(project, "001:003")
    ran = psql(loans, without_stop(sql), PGOPTIONS="-c search_path=tenant,public")
    assert "search path" in ran.stderr
    assert await total(loans, "fee") == SUM
    assert await version(loans) == "001"


@pytest.mark.parametrize(
    "options",
    [
        "-c default_transaction_isolation=serializable",
        "-c standard_conforming_strings=off -c quote_all_identifiers=on",
        "-c lock_timeout=1ms -c idle_in_transaction_session_timeout=50ms -c DateStyle=German",
        "-c search_path=hostile,pg_catalog,public",
    ],
)
async def test_the_operators_session_changes_nothing(
    loans: URL, project: Config, options: str
) -> None:
    await execute(
        loans,
        "CREATE SCHEMA hostile",
        "CREATE FUNCTION hostile.never(bigint, bigint) RETURNS bool LANGUAGE sql AS 'SELECT false'",
        "CREATE OPERATOR hostile.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = hostile.never)",
    )
    await execute(loans, "UPDATE loan SET fee = -fee WHERE id = 7")
    ran = psql(loans, write_script(project, "001:003"), PGOPTIONS=options)
    assert (ran.stderr, ran.returncode) == ("", 0)
    assert await version(loans) == "003"
    assert await total(loans, "fee_cents") == SUM - 14


async def test_odd_names_are_renamed_like_any(loans: URL, tmp_path: Path) -> None:
    table, old, new, schema = 'lo"an :x', "counted", "$rel{0}'\\", "S $invoicing_rename$ x"
    rename = f"{table!r}, {old!r}, {new!r}, sa.Integer(), schema={schema!r}"
    project = make_project(
        tmp_path / "project",
        ("pass", "pass"),
        (f"op.expand_rename({rename})", "pass"),
        (f"op.contract_rename({rename})", "pass"),
    )
    await execute(
        loans,
        f'CREATE SCHEMA "{schema}"',
        f'CREATE TABLE "{schema}"."lo""an :x" (id int, counted numeric(12, 2))',
        f'INSERT INTO "{schema}"."lo""an :x" SELECT n, n / 3.0 FROM generate_series(1, 99) AS n',
    )
    sums = f'SELECT sum("{{}}")::text FROM "{schema}"."lo""an :x"'
    before = await fetch(loans, sums.format(old))
    assert psql(loans, write_script(project, "001:002")).stderr == ""
    psql(loans, write_script(project, "002:003"))
    assert await version(loans) == "002"  # nothing confirmed this one
    ran = psql(loans, write_script(project, "002:003", confirm=f"{table}.{old}"))
    assert (ran.stderr, await version(loans)) == ("", "003")
    assert await fetch(loans, sums.format(new)) == before


async def test_a_default_is_the_columns_by_either_name_and_then_by_the_new_one(
    loans: URL, project: Config
) -> None:
    await execute(loans, "ALTER TABLE loan ALTER fee SET DEFAULT 7")
    psql(loans, write_script(project, "001:002"))
    assert await version(loans) == "002"
    await execute(loans, "INSERT INTO loan DEFAULT VALUES")
    newest = "SELECT fee || '=' || fee_cents FROM loan ORDER BY id DESC LIMIT 1"
    assert await fetch(loans, newest) == "7=7"
    ran = psql(loans, write_script(project, "002:003", confirm="loan.fee"))
    assert ran.returncode == 0, ran.stderr
    default = (
        "SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute"
        " ON (attrelid, attnum) = (adrelid, adnum) WHERE attname = 'fee_cents'"
    )
    assert await fetch(loans, default) in {"7", "'7'::bigint"}
