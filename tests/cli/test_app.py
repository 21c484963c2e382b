"""What `invoicing app` refuses before it starts, and the cells of its pages."""

from __future__ import annotations

import ast
import os

import nbformat
import pytest

from invoicing.cli.app_pages import write_pages
from invoicing.notebook.pages import guarded
from tests.cli.here import run_here


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
