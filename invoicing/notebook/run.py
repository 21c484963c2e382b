"""Run notebooks without a browser: for a report to read, and to refresh the outputs that are kept.

The kernel gets its database by the environment, never as a parameter: parameters are written into
the notebook, and a URL may hold a password.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from nbconvert.preprocessors import TagRemovePreprocessor
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from invoicing.errors import NotebookFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# A cell with this tag is for the browser: it needs somebody to click.
LIVE = "live"
KERNEL = "python3"
TIMEOUT = 600


def write_report(
    notebook: Path, report: Path, parameters: Mapping[str, Any], database_url: str
) -> None:
    """Run `notebook` with `parameters` and write its outputs as one HTML file that opens offline.

    Raises:
        NotebookFailedError: a cell raised; `report` is left as it was.
    """
    node = parameterize_notebook(load_notebook_node(str(notebook)), dict(parameters))
    _execute(node, notebook, database_url)
    report.parent.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that a reader never meets half a report.
    unfinished = report.with_suffix(".part")
    unfinished.write_text(_to_html(node), encoding="utf-8")
    unfinished.replace(report)


def refresh_outputs(notebook: Path, database_url: str) -> None:
    """Run `notebook` on the database at `database_url` and keep its outputs in the file itself.

    What changes from run to run (times, kernel version, widget ids) is left out, so that a diff
    shows only what is different.

    Raises:
        NotebookFailedError: a cell raised; the file is left as it was.
    """
    node = nbformat.read(notebook, as_version=4)
    _execute(node, notebook, database_url)
    node.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
            "language_info": {"name": "python"},
        }
    )
    for cell in node.cells:
        if cell.cell_type == "code" and LIVE in cell.metadata.get("tags", []):
            cell.outputs = []
    nbformat.write(node, notebook)


def _execute(node: NotebookNode, notebook: Path, database_url: str) -> None:
    client = NotebookClient(
        node,
        timeout=TIMEOUT,
        kernel_name=KERNEL,
        record_timing=False,
        resources={"metadata": {"path": str(notebook.parent)}},
        # Else each kernel warns that its messages could be read by others on this machine.
        config=Config({"KernelManager": {"transport_encryption": "auto"}}),
    )
    try:
        client.execute(env={**os.environ, "DATABASE_URL": database_url})
    except CellExecutionError as error:
        raise NotebookFailedError(notebook.name, error.ename, error.evalue) from None


def _to_html(node: NotebookNode) -> str:
    # Widgets need a kernel; their state would only be dead weight in the page.
    node.metadata.pop("widgets", None)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    live = TagRemovePreprocessor(
        config=Config({"TagRemovePreprocessor": {"remove_cell_tags": {LIVE, "parameters"}}})
    )
    exporter.register_preprocessor(live, enabled=True)
    body, _ = exporter.from_notebook_node(node)
    title = next(
        (cell.source.splitlines()[0].lstrip("# ") for cell in node.cells if cell.source), "Report"
    )
    return _PAGE.format(title=title, body=body)


# nbconvert's own page loads scripts from elsewhere; this one needs nothing but itself.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1b1b1b; background: white;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 0.5rem 0 1.5rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: 0.4rem; }}
th, td {{ padding: 0.25rem 0.8rem; border-bottom: 1px solid #ddd; }}
thead th {{ border-bottom: 2px solid #888; }}
img {{ max-width: 100%; }}
code, pre {{ font: 13px/1.4 ui-monospace, monospace; }}
pre {{ white-space: pre-wrap; }}
.anchor-link {{ display: none; }}
@media print {{ body {{ margin: 0; max-width: none; }}
               table, img {{ break-inside: avoid; }} h2 {{ break-after: avoid; }} }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
