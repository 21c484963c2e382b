"""`%%queries` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebooks.kernels import Kernel, running_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

SET_UP = """
%load_ext invoicing
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool
engine = create_engine("sqlite://", poolclass=StaticPool)
def ask(times):
    with engine.connect() as connection:
        for n in range(times):
            connection.execute(text("SELECT name FROM sqlite_master WHERE rootpage = :n"), {"n": n})
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    with running_kernel() as kernel:
        output, error, _ = kernel.run(SET_UP)
        assert (output, error) == ("", "")
        yield kernel


def test_a_cell_shows_its_statements_and_findings(kernel: Kernel) -> None:
    output, error, _ = kernel.run("%%queries\nprint('own output')\nask(4)")
    assert error == ""
    assert output == "own output"
    shown, _, _ = kernel.run("print(queries)")
    assert shown.startswith("4 statements, ")
    # The line within the cell, the magic's line being the first.
    assert "line 9" not in shown.splitlines()[0]
    assert "[n-plus-one] one query was sent 4 times" in shown


def test_a_line_is_counted_from_the_top_of_the_cell(kernel: Kernel) -> None:
    cell = (
        "%%queries --allow n-plus-one\n"
        "with engine.connect() as connection:\n"
        "    connection.execute(text('SELECT 1'))\n"
    )
    kernel.run(cell)
    output, _, _ = kernel.run("print(queries.statements[0].caller, len(queries.findings))")
    assert output.startswith("In[")
    assert output.endswith("], line 3 0")


def test_a_cell_may_await_and_keeps_its_last_value(kernel: Kernel) -> None:
    cell = "%%queries\nimport asyncio\nawait asyncio.sleep(0)\nask(1)\n'''two\n  lines'''"
    _, error, _ = kernel.run(cell)
    assert error == ""
    output, _, _ = kernel.run("print(repr(_), len(queries))")
    assert output == r"'two\n  lines' 1"


def test_only_its_own_cell_is_recorded(kernel: Kernel) -> None:
    kernel.run("%%queries\nask(1)")
    kernel.run("ask(3)")
    output, _, _ = kernel.run("print(len(queries))")
    assert output == "1"


def test_a_cell_that_fails_is_shown_too(kernel: Kernel) -> None:
    _, error, _ = kernel.run("%%queries\nask(2)\n1 / 0")
    assert error == "ZeroDivisionError"
    output, error, _ = kernel.run("print(len(queries)); ask(1); print(len(queries))")
    assert (output.split(), error) == (["2", "2"], "")


@pytest.mark.parametrize(
    ("options", "error"),
    [("--alow x", "QueriesMagicError"), ("--allow n-plus-on", "UnknownFindingError")],
)
def test_a_wrong_option_is_named(kernel: Kernel, options: str, error: str) -> None:
    assert kernel.run(f"%%queries {options}\nask(2)")[1] == error


def test_it_can_be_unloaded(kernel: Kernel) -> None:
    _, error, _ = kernel.run("%unload_ext invoicing")
    assert error == ""
    _, error, _ = kernel.run("%%queries\nask(1)")
    output, _, _ = kernel.run("print('_invoicing_queries' in globals())")
    assert output == "False"
    kernel.run("%load_ext invoicing")
