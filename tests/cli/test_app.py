"""What `invoicing app` refuses before it starts, and the cells of its pages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from invoicing.cli.app_pages import write_pages
from invoicing.notebook.pages import guarded
from tests.cli.here import MAIN, run_here


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        (["--host=0.0.0.0", "--no-token"], None, "--no-token"),
        ([], "short", "16 or more"),
        ([], "with a space in the middle", "16 or more"),
        (["--as-of=tomorrow"], None, "YYYY-MM-DD"),
        (["--port=0"], None, "--port"),
        (["--host=203.0.113.1"], None, "cannot listen on 203.0.113.1"),
    ],
)
def test_what_is_not_safe_or_not_possible_is_refused(arguments, token, said) -> None:
    environment = os.environ | ({"INVOICING_APP_TOKEN": token} if token else {})
    ended = run_here(environment, "app", *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "http://" not in ended.stdout
    assert token is None or token not in ended.stderr


def test_what_may_only_read_is_not_made_to_write() -> None:
    ended = run_here(os.environ | {"INVOICING_READ_ONLY": "true"}, "app", "--write", "--port=8124")
    assert ended.returncode == 2
    assert "INVOICING_READ_ONLY forbids it" in ended.stderr
    assert ended.stdout == ""


def test_every_cell_of_a_page_is_guarded_and_takes_the_day(tmp_path) -> None:
    links = write_pages(tmp_path, "invoice.amt -> amount_cents", as_of="2025-01-31")
    for link in links:
        cells = nbformat.read(tmp_path / f"{link.name}.ipynb", as_version=4).cells
        for cell in cells[1:]:
            (statement,) = ast.parse(cell.source).body
            assert isinstance(statement, ast.If) or cell.source.startswith("page.text(")
        days = [cell.source for cell in cells if "as_of = " in cell.source]
        assert all("as_of = '2025-01-31'" in source for source in days)
        assert len(days) == (link.name != "rename")


def test_a_cell_that_raises_ends_its_page_in_a_sentence() -> None:
    shown, failed = [], []

    class Page:
        works = True

        def show(self, value) -> None:
            shown.append(value)

        def fail(self, error) -> None:
            self.works = False
            failed.append(str(error))

    names = {"page": Page()}
    for source in ("a = 1\na + 1", "1 / 0", "a + 2", "# nothing"):
        exec(guarded(source), names)
    assert (shown, failed) == ([2], ["division by zero"])


def test_a_token_that_is_given_is_not_shown() -> None:
    crash = (
        "import invoicing.cli.app_server as s\ndef serve(*_, **__): raise LookupError('crash')\n"
    )
    token = "a-token-of-the-tests"
    ended = subprocess.run(
        [sys.executable, "-c", f"{crash}s.serve = serve; {MAIN}", "app", "--port=8123"],
        env=os.environ | {"INVOICING_APP_TOKEN": token},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "LookupError: crash" in ended.stderr
    assert "Add ?token= and what INVOICING_APP_TOKEN holds" in ended.stderr
    assert ended.stdout == "http://127.0.0.1:8123/\n"
    assert token not in ended.stderr


def test_a_page_without_its_database_is_one_sentence(tmp_path, monkeypatch) -> None:
    write_pages(tmp_path, "invoice.amt -> amount_cents", as_of="")
    missing = "postgresql://reader:secret@127.0.0.1:1/none"
    monkeypatch.setenv("DATABASE_URL", missing)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    notebook = nbformat.read(tmp_path / "account.ipynb", as_version=4)
    NotebookClient(notebook, timeout=60).execute()
    *texts, said = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [text.output_type for text in texts] == ["display_data"]  # its title
    assert re.fullmatch(r'<p role="alert"><b>.*127\.0\.0\.1.*</b></p>', said.data["text/html"])
    assert "secret" not in str(said)
