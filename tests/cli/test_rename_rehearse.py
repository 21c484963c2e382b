"""`invoicing rename rehearse` and `plan --rehearse`: what they print, and their exit codes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tests.cli.rename_line import NAMES, hinted
from tests.conftest import execute, newest_server_url

if TYPE_CHECKING:
    from tests.cli.rename_line import CommandLine

server_url = newest_server_url
QUICK = ("--rows", "20", "--on-server")


def test_a_rehearsal_ends_with_0_when_clean_with_1_when_not_and_says_what_to_run(
    invoicing: CommandLine,
) -> None:
    clean = invoicing.rename("rehearse", "--json", *QUICK)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    report = json.loads(clean.stdout)
    assert report["clean"]
    assert report["rows"] == 20
    assert report["differences"] == report["unrehearsed"] == []
    # A function's text is a thing that only its owner can change.
    text = "CREATE FUNCTION total() RETURNS bigint LANGUAGE sql AS 'SELECT sum(amt) FROM invoice'"
    asyncio.run(execute(invoicing.url, text))
    said = invoicing.rename("rehearse", *QUICK)
    assert said.returncode == 1
    assert "contract failed" in said.stdout
    assert "total()" in said.stdout
    assert hinted(said.stdout) == ["rename", "rehearse", *NAMES, "--on-server", "--rows", "20"]
    assert "public.total()" not in said.stderr


def test_a_plan_with_a_refusal_is_not_rehearsed(invoicing: CommandLine) -> None:
    asyncio.run(execute(invoicing.url, "CREATE TABLE old_invoice () INHERITS (invoice)"))
    said = invoicing.rename("plan", "--rehearse", "--json")
    assert said.returncode == 1
    plan = json.loads(said.stdout)
    assert not plan["rehearsal"]["clean"]
    assert plan["rehearsal"]["refused"] == [
        finding for finding in plan["findings"] if finding["verdict"] == "refused"
    ]
    assert invoicing.rename("plan", "--rehearse", "--sql").returncode == 2
