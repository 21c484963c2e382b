"""Notebooks: magics and other languages are left out, the rest is checked, the cell is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import check
from invoicing.toolkit.policy.notebooks import code_cells

if TYPE_CHECKING:
    from pathlib import Path

IMPORT = "from sqlalchemy.orm import Session"
MAKE = "session = Session(engine)"
# A cell, and the line on which it makes a session; 0 for none.
CELLS = {
    "plain": (MAKE, 1),
    "a line magic": (f"%load_ext sql\n{MAKE}", 2),
    "a shell command": (f"!pip list\n{MAKE}", 2),
    "a shell command over two lines": (f"!pip list \\\n  --quiet\n{MAKE}", 3),
    "help": (f"?print\nprint?\nprint??\n{MAKE}", 4),
    "an assigned command": (f"files = !ls *.py\n{MAKE}", 2),
    "an assigned command over two lines": (f"files = !ls \\\n  -l\n{MAKE}", 3),
    "an assigned magic": (f"pid = %sql SELECT 1\n{MAKE}", 2),
    "a timed line": (f"x = 1\n%time {MAKE}", 2),
    "a timed line with options": (f"x = 1\n%timeit -n 10 -r 3 {MAKE}", 2),
    "a timed cell": (f"%%time\n\n{MAKE}", 3),
    "a captured cell": (f"%%capture out\n%load_ext x\n{MAKE}", 3),
    "a cell of one's own magic": (f"%%profile_queries --rows\n{MAKE}", 2),
    "a timed cell below blank lines": (f"\n\n%%time\n{MAKE}", 4),
    "a remainder over two lines": (f"x = (7\n  % 2)\n{MAKE}", 3),
    "a text that holds magics": (f'x = """\n%time\n!ls\n"""\n{MAKE}', 5),
    "a magic in a block": (f"if x:\n    %time y = 1\nelse:\n    !ls\n{MAKE}", 5),
    "a magic alone in a block": (f"for x in y:\n    %matplotlib inline\n{MAKE}", 3),
    "an await": (f"await f()\n{MAKE}", 2),
    "bash": (f"%%bash\n{MAKE}\nls | grep x", 0),
    "sql": ("%%sql\nSELECT * FROM invoice WHERE x = 'Session(engine)'", 0),
    "another language": ("%%html\n<b>Session(engine)</b>", 0),
    "one's own language": ("%%mermaid\ngraph TD; A-->B;", 0),
    "an escaped shell": (f"%%!\n{MAKE}", 0),
    "a comment": (f"# {MAKE}", 0),
    "empty": ("", 0),
}


def notebook(path: Path, *sources: str, **more: object) -> Path:
    cells = [
        {"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources
    ]
    path.write_text(json.dumps({"cells": cells, **more}))
    return path


@pytest.mark.parametrize("label", CELLS)
def test_a_cell_is_read_as_ipython_reads_it(label: str, tmp_path: Path) -> None:
    text, line = CELLS[label]
    path = notebook(tmp_path / "a.ipynb", IMPORT, "%matplotlib inline", text)
    report = check([path], root=tmp_path, select=["async-only"])
    assert report.problems == []
    places = [(finding.path, finding.line) for finding in report.findings]
    assert places == ([("a.ipynb[3]", line)] if line else [])


def test_the_cell_that_cannot_be_read_is_named_and_the_others_checked(tmp_path: Path) -> None:
    path = notebook(tmp_path / "a.ipynb", IMPORT, "!ls\nx = (\n", f"%time x\n{MAKE}")
    report = check([path], root=tmp_path, select=["async-only"])
    assert [problem.path for problem in report.problems] == ["a.ipynb[2]"]
    assert [(finding.path, finding.line) for finding in report.findings] == [("a.ipynb[3]", 2)]


def test_a_notebook_of_another_language_has_no_python(tmp_path: Path) -> None:
    julia = {"kernelspec": {"language": "julia"}}
    path = notebook(tmp_path / "a.ipynb", "using DataFrames", metadata=julia)
    assert code_cells(path.read_bytes()) == []
    report = check([path], root=tmp_path)
    assert (report.findings, report.problems) == ([], [])


def test_an_old_notebook_has_its_cells_in_worksheets() -> None:
    cells = [{"cell_type": "code", "input": ["x = 1"]}, {"cell_type": "markdown", "source": "x"}]
    content = json.dumps({"worksheets": [{"cells": cells}]}).encode("utf-8-sig")
    assert code_cells(content) == ["x = 1"]
