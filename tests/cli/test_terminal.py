"""Names of others on a real terminal: nothing but newlines and rich's colours steers it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from invoicing.db import Database
from invoicing.settings import Settings
from tests.cli.here import PROGRAM
from tests.conftest import execute
from tests.factories import create_account, create_invoice
from tests.test_visible import SGR, leaks

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

NAME = (
    "\x1b[31mLab\x1b]8;;http://evil\x07\x9b2J\r\u202e\u200b\U000e0041 [bold]x[/bold] :smile:\nnext"
)
SHOWN = (
    r"\x1b[31mLab\x1b]8;;http://evil\x07\x9b2J\r\u202e\u200b\U000e0041 [bold]x[/bold] :smile:\nnext"
)


def on_terminal(url: URL, *arguments: object, cwd: Path | None = None) -> str:
    """Return what a command writes to a terminal, without rich's colours."""
    terminal, its_end = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        env=os.environ
        | {"DATABASE_URL": url.render_as_string(hide_password=False)}
        | {"COLUMNS": "300", "TERM": "xterm-256color"},
        stdin=subprocess.DEVNULL,
        stdout=its_end,
        stderr=subprocess.STDOUT if "--json" not in arguments else subprocess.PIPE,
        cwd=cwd,
    ):
        os.close(its_end)
        written = b""
        while True:
            try:
                written += os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
    os.close(terminal)
    return SGR.sub("", written.decode().replace("\r\n", "\n"))


@pytest.fixture
async def hostile(migrated_database_url: URL) -> URL:
    account = create_account(name=NAME, plan=NAME)
    create_invoice(account)
    database = Database(migrated_database_url, Settings())
    async with database, database.transaction() as session:
        session.add_all([account, create_account(name=f"{NAME} 2")])
    return migrated_database_url


async def test_names_in_tables_titles_and_errors_are_escapes(hostile: URL) -> None:
    for arguments in (
        ["accounts"],
        ["dashboard", NAME],
        ["dashboard", "LAB"],
        ["dashboard", "\u202e9"],
    ):
        shown = on_terminal(hostile, *arguments)
        assert not leaks(shown), arguments
        assert SHOWN in shown or r"\u202e9" in shown


async def test_json_holds_the_name_itself(hostile: URL) -> None:
    shown = on_terminal(hostile, "accounts", "--json")
    assert not leaks(shown)
    assert json.loads(shown)[0]["name"] == NAME


async def test_files_cells_and_columns_are_escapes(hostile: URL, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode("accounts\x1b[2J\u202e\n".encode() + b"\xff.csv")
    path.write_text("id,name,plan,ev\x1bil\n1,,team\x1b[2J,\n")
    for arguments in (["load", path], ["load", path, "--json"], ["load", f"{path}.absent"]):
        shown = on_terminal(hostile, *arguments, cwd=tmp_path)
        assert r"\x1b[2J" in shown or r"\u001b[2J" in shown
        # The bars of a terminal move its cursor: a few codes that rich writes.
        assert not leaks(
            shown.replace("\x1b[?25", "").replace("\x1b[2K", "").replace("\x1b[1A", ""), "\n\r"
        )


async def test_columns_in_the_plan_of_a_rename_are_escapes(empty_database_url: URL) -> None:
    await execute(
        empty_database_url,
        'CREATE TABLE bill (id bigint PRIMARY KEY, "a\x1b[2J\u202e" bigint NOT NULL)',
        'CREATE VIEW "v\x1b[2J" AS SELECT "a\x1b[2J\u202e" FROM bill',
    )
    for arguments in (["plan"], ["plan", "--sql"], ["plan", "--json"], ["status"]):
        shown = on_terminal(
            empty_database_url, "rename", *arguments, "bill", "a\x1b[2J\u202e", "cents"
        )
        assert not leaks(shown), arguments
        assert r"\x1b[2J\u202e" in shown or r"\u001b[2J\u202e" in shown
