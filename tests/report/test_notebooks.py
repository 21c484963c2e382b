"""A notebook that does not run to its end: one sentence, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import nbformat
import pytest

from invoicing.report import dashboards, notebooks
from invoicing.report.errors import NotebookFailedError
from tests.conftest import newest_server_url

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

server_url = newest_server_url


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ValueError('no such month')", "ValueError: no such month"),
        ("import os; os._exit(1)", "DeadKernelError: Kernel died"),
        ("import time; time.sleep(60)", "CellTimeoutError: A cell timed out"),
    ],
)
def test_what_stops_a_notebook_is_reported_and_the_page_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    monkeypatch.setattr(notebooks, "TIMEOUT", 5)
    cell = nbformat.v4.new_code_cell(code)
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    node = nbformat.v4.new_notebook(cells=[cell], metadata=metadata)
    nbformat.write(node, notebook := tmp_path / "broken.ipynb")
    (report := tmp_path / "report.html").write_text("the last one")
    with pytest.raises(NotebookFailedError) as failed:
        notebooks.write_report(notebook, report, {}, "postgresql://reader:secret@/none")
    assert str(failed.value).startswith(f"broken.ipynb stopped: {error}")
    assert "secret" not in str(failed.value)
    assert report.read_text() == "the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.ipynb", "report.html"]


async def test_what_no_tag_lets_on_a_page_is_neither_run_nor_shown(
    migrated_database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forgotten tag, or one that is mistyped, leaves a cell out."""
    ran = tmp_path / "ran"
    cell, text = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    leak = f"open({str(ran)!r}, 'a').write('LEAK'); print('LEAK')"
    node = nbformat.v4.new_notebook(
        cells=[
            text("# Page", metadata={"tags": ["page"]}),
            cell("account = ''", metadata={"tags": ["parameters"]}),
            cell("word = account; print('SETUP')", metadata={"tags": ["page-setup"]}),
            text("LEAK"),
            cell(leak),
            *(cell(leak, metadata={"tags": [tag]}) for tag in ("pages", "Page", "live", "setup")),
            cell("print('shown', word)", metadata={"tags": ["page"]}),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "", "language": "python"}},
    )
    nbformat.write(node, notebook := tmp_path / "01_dashboard.ipynb")
    monkeypatch.setattr(dashboards, "NOTEBOOK", notebook)
    account_id, path = uuid4(), tmp_path / "page.html"
    url = migrated_database_url.render_as_string(hide_password=False)
    (written,) = dashboards.write_dashboards({account_id: path}, url, names={account_id: "A\u202e"})
    assert written.error is None
    page = path.read_text()
    assert f"shown {account_id}" in page
    assert r"<title>A\u202e: Page</title>" in page
    assert not ran.exists()
    assert not any(word in page for word in ("LEAK", "SETUP"))


def test_every_cell_of_the_dashboard_that_reads_other_accounts_stays_off_the_page() -> None:
    node = nbformat.read(dashboards.NOTEBOOK, as_version=4)
    on_page = [cell for cell in node.cells if "page" in cell.metadata.get("tags", [])]
    code = [cell.source for cell in on_page if cell.cell_type == "code"]
    assert len(code) == 6
    assert all("await services." not in cell or "account_id" in cell for cell in code)
