"""What the README shows is what the commands print.

A block below `<!-- output of: invoicing ... -->` is held to the command's output on the sample;
`INVOICING_UPDATE_README=1` writes it there instead.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.cli.demo import ACCOUNTS, INVOICES
from invoicing.db import Database
from invoicing.sample import load_sample
from invoicing.settings import Settings
from tests.cli.here import run_apart

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

README = Path(__file__).parents[1] / "README.md"
MEASURED = Path(__file__).parent / "benchmarks" / "measured.json"
TABLE = re.compile(r"(<!-- measured -->\n)(.*?)(<!-- end of measured -->)", re.DOTALL)
BLOCK = re.compile(r"<!-- output of: invoicing (.+?) -->\n```\n(.*?)```\n", re.DOTALL)


def output_of(command: str, url: URL) -> str:
    environment = os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)}
    run = run_apart(environment, *shlex.split(command), check=True)
    return "".join(line.rstrip() + "\n" for line in run.stdout.splitlines())


async def test_the_readme_shows_what_the_commands_print(migrated_database_url: URL) -> None:
    async with Database(migrated_database_url, Settings()) as database:
        await load_sample(database, accounts=ACCOUNTS, invoices=INVOICES)
    shown = README.read_text()
    current = BLOCK.sub(
        lambda block: (
            f"<!-- output of: invoicing {block[1]} -->\n"
            f"```\n{output_of(block[1], migrated_database_url)}```\n"
        ),
        shown,
    )
    if os.environ.get("INVOICING_UPDATE_README"):
        README.write_text(current)
    assert BLOCK.search(shown)
    assert shown == current


def measured() -> str:
    """Return the table of what `make bench` took down last."""
    figures = json.loads(MEASURED.read_text())
    rows = [
        f"| {what} | {figure['measured']} | {figure['goal']} | {figure['date']} |"
        for what, figure in figures.items()
    ]
    machines = sorted({figure["machine"] for figure in figures.values()})
    head = ["| | measured | goal | on |", "|---|---|---|---|"]
    return "\n".join([*head, *rows, "", f"Machine: {'; '.join(machines)}.", ""])


def test_the_readme_shows_what_was_measured_last() -> None:
    shown = README.read_text()
    current = TABLE.sub(lambda block: f"{block[1]}{measured()}{block[3]}", shown)
    if os.environ.get("INVOICING_UPDATE_README"):
        README.write_text(current)
    assert TABLE.search(shown)
    assert shown == current


def test_the_readme_names_every_setting() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", README.read_text(), re.MULTILINE))
    assert named == {
        str(field.validation_alias or f"INVOICING_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
