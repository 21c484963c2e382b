"""A notebook that does not run to its end: one sentence, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest

from invoicing.errors import NotebookFailedError
from invoicing.report import notebooks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('no such month')", "ValueError: no such month"),
        ("import os; os._exit(1)", "DeadKernelError: Kernel died"),
        ("import time; time.sleep(60)", "CellTimeoutError: A cell timed out"),
    ],
)
def test_what_stops_a_notebook_is_told_and_the_page_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    monkeypatch.setattr(notebooks, "TIMEOUT", 5)
    cell = nbformat.v4.new_code_cell(code)
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    node = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    nbformat.write(node, notebook := tmp_path / "broken.ipynb")
    (report := tmp_path / "report.html").write_text("the last one")
    with pytest.raises(NotebookFailedError) as failed:
        notebooks.write_report(notebook, report, {}, "postgresql://nobody:secret@/none")
    assert str(failed.value).startswith(f"broken.ipynb stopped: {error}")
    assert "secret" not in str(failed.value)
    assert report.read_text() == "the last one"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["broken.ipynb", "report.html"]
