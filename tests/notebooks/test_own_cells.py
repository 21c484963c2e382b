"""An analyst's own cells: `%%sql`, `load_files`, and a function that cannot await."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from invoicing.extension import read_by_sql
from invoicing.models import Account
from invoicing.notebook import read_frame
from invoicing.notebook.errors import MissingParameterError
from invoicing.toolkit.profiling import compare_loading
from invoicing.toolkit.profiling.errors import SessionSourceError
from tests.conftest import newest_server_url
from tests.factories import create_account, create_invoice
from tests.notebooks.kernels import running_kernel

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

    from invoicing.db import Database

server_url = newest_server_url
SET_UP = """
%load_ext invoicing
from invoicing.notebook import load_files, open_database, read_frame, run_synchronously
database = await open_database()
"""


def test_cells_of_sql_files_and_functions(migrated_database_url: URL, tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("id,name,plan\nA1,Aurora,team\nA2,Borealis,basic\n")
    (tmp_path / "bad.csv").write_text("id,name,plan\nA3,,team\n")
    address = migrated_database_url.render_as_string(hide_password=False)
    with running_kernel(os.environ | {"DATABASE_URL": address}) as kernel:

        def run(code: str) -> tuple[str, str]:
            output, error, _ = kernel.run(code, stdin=False)
            return output, error

        assert run(SET_UP) == ("", "")
        loaded, error = run(f"print(await load_files(database, accounts={str(accounts)!r}))")
        assert error == "", kernel.traceback
        assert "Loading: 2 rows read, 2 written" in loaded
        _, error = run(f"await load_files(database, accounts={str(tmp_path / 'bad.csv')!r})")
        assert error == "BadRowsError"
        assert "1 of 1 rows are bad" in kernel.traceback

        assert run("plans = ['basic', 'team']; part = 'A%'") == ("", "")
        sql = "%%sql found <<\nSELECT name, created_at::date AS day, '12:30' AS at FROM account\n"
        where = "WHERE plan IN :plans AND name LIKE :part ORDER BY name;\n"
        assert run(sql + where) == ("", "")
        assert run("print(list(found.name), list(found['at']))") == ("['Aurora'] ['12:30']", "")
        own = "async with database.transaction() as session:\n"
        assert run("own = await database.transaction().__aenter__()")[1] == ""
        assert run("from sqlalchemy import text; await own.execute(text('DELETE FROM account'))")
        assert run("%%sql left << --from own\nSELECT * FROM account")[1] == ""
        assert run("%%sql all_of_them <<\nSELECT * FROM account")[1] == ""
        assert run("print(len(left), len(all_of_them)); await own.rollback()")[0] == "0 2", own
        # Without a name the rows are the cell's result.
        assert run("%%sql\nSELECT count(*) AS n FROM account") == ("", "")
        assert run("print(_.n[0])") == ("2", "")
        for cell, said in (
            ("%%sql\nSELECT :nothing_of_this_name", "no value for :nothing_of_this_name"),
            ("%%sql << x\nSELECT 1", "is not understood"),
            ("%%sql x <<", "there is no statement"),
            ("%%sql --from elsewhere\nSELECT 1", "reads from the variable 'elsewhere'"),
            ("%%sql\nSELECT naam FROM account", 'meant to reference the column "account.name"'),
            ("read_frame(database, 'SELECT 1').head()", "missing an await"),
            ("rows = read_frame(database, 'SELECT 1')\nrows['a']", "missing an await"),
        ):
            _, error = run(cell)
            assert error, cell
            assert said in kernel.traceback, cell

        kernel.run("read_frame(database, 'SELECT 1')", stdin=False)
        assert "missing an await" in run("print(get_ipython().display_formatter.format(_)[0])")[0]

        # `apply` calls an ordinary function, which cannot await.
        count = "SELECT count(*) AS n FROM account WHERE name = :name"
        run(
            f"def count(name): return run_synchronously(read_frame(database, {count!r}, "
            "{'name': name})).n[0]"
        )
        assert run("print(all_of_them.name.apply(count).sum())") == ("2", ""), kernel.traceback


def test_only_a_cell_that_begins_so_is_sql() -> None:
    for cell in (["x = 1\n"], ["# %%sql\n"], [], ["\n"], ["%%sqlx\n"]):
        assert read_by_sql(cell) == cell
    assert read_by_sql(["\n", "%%sql a<<\n", "SELECT 'x'\n"])[0].startswith("a = await ")


async def test_sql_with_parameters_becomes_a_frame(database: Database) -> None:
    account = create_account(id=uuid4())
    create_invoice(account, line_cents=[5])
    create_invoice(account, line_cents=[7], currency="JPY")
    async with database.transaction() as session:
        session.add(account)
    sql = (
        "SELECT currency, sum(amount_cents)::bigint AS total_cents FROM invoice "
        "WHERE account_id = :id AND issued_at >= :day GROUP BY currency ORDER BY currency"
    )
    values = {"id": account.id, "day": date(2020, 1, 1), "unused": object()}
    frame = await read_frame(database, sql, values)
    assert frame.to_dict("list") == {"currency": ["EUR", "JPY"], "total_cents": [5, 7]}
    with pytest.raises(MissingParameterError) as caught:
        await read_frame(database, sql)
    assert set(caught.value.names) == {"id", "day"}


async def test_what_makes_no_sessions_is_said_with_what_to_write() -> None:
    asynchronous = create_async_engine("postgresql+asyncpg://nowhere/x")
    for wrong, said in (
        (asynchronous, "async_sessionmaker(engine)"),
        (create_engine("sqlite://"), "sessionmaker(engine)"),
        ("postgresql://nowhere/x", "Database(url)"),
        (7, "Give a Database"),
    ):
        with pytest.raises(SessionSourceError) as caught:
            await compare_loading(wrong, None, Account.invoices)
        assert said in str(caught.value)
