"""Run notebooks without a browser: for a report to read, and to refresh the outputs that are kept.

The kernel gets its database by the environment, never as a parameter: parameters are written into
the notebook, and a URL may hold a password.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from copy import deepcopy
from threading import Lock
from typing import TYPE_CHECKING, Any

import nbformat
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from nbconvert.preprocessors import TagRemovePreprocessor
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from invoicing.errors import UsageError
from invoicing.files import write_whole
from invoicing.folders import notebooks_folder
from invoicing.report.errors import NotebookFailedError
from invoicing.report.kept import keep_measured
from invoicing.report.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nbformat import NotebookNode

NOTEBOOKS = notebooks_folder()
# A cell with this tag is for the browser: it needs a person to click.
LIVE = "live"
# What a reader of a page has no use for.
HIDDEN = {LIVE, "parameters", "notebook-only"}
# A page for one customer has the cells with this tag and no others: a tag that was forgotten shows
# too little, never too much.
PAGE = "page"
# What those cells need to have run.
_BEFORE_PAGE = {"parameters", "injected-parameters", "page-setup"}
KERNEL = "python3"
TIMEOUT = 600
# It imports black where that is installed, and warns of one that another thread is importing.
_parameterizing = Lock()


class Runner:
    """A kernel that runs one notebook again and again, each time with other parameters.

    Starting a kernel and importing takes longer than the notebook's own work.
    """

    def __init__(self, notebook: Path, client: NotebookClient) -> None:
        self._notebook = notebook
        self._client = client

    def run(self, parameters: Mapping[str, Any], *, page: bool = False) -> NotebookNode:
        """Return the notebook as it is after a run.

        Args:
            parameters: by their names.
            page: run and return only what belongs on a customer's page; what other cells would
                read of other customers is not even asked for.

        Raises:
            NotebookFailedError: a cell raised.
        """
        with _parameterizing:
            node: NotebookNode = parameterize_notebook(
                load_notebook_node(str(self._notebook)), dict(parameters)
            )
        if page:
            node.cells = [cell for cell in node.cells if _tags(cell) & {PAGE, *_BEFORE_PAGE}]
        self._client.nb = node
        self._client.reset_execution_trackers()
        run_cells(self._client, self._notebook.name)
        if page:
            node.cells = [cell for cell in node.cells if PAGE in _tags(cell)]
        return node


@contextmanager
def runner(notebook: Path, database_url: str) -> Iterator[Runner]:
    """Yield a kernel for `notebook` on the database at `database_url`; it ends with the block."""
    if not notebook.exists():
        message = (
            f"there is no {notebook}, so the installation is not complete. Run: "
            "pip install --force-reinstall 'invoicing[all]'"
        )
        raise UsageError(message)
    client = _client(nbformat.v4.new_notebook(), notebook)
    with _kernel(client, database_url):
        yield Runner(notebook, client)


def write_report(
    notebook: Path,
    report: Path,
    parameters: Mapping[str, Any],
    database_url: str,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Run `notebook` with `parameters` and write its outputs as one HTML file that opens offline.

    Raises:
        NotebookFailedError: a cell raised; `report` is left as it was.
        UsageError: there is no such notebook.
    """
    with runner(notebook, database_url) as kernel:
        node = kernel.run(parameters)
    write_whole(to_html(node, facts or {}), report)


def refresh_outputs(notebook: Path, database_url: str) -> None:
    """Run `notebook` on the database at `database_url` and keep its outputs in the file itself.

    What changes from run to run (kernel version, widget ids) is left out, and what was measured
    stays as it is where nothing else is new, so that a diff shows only what is different.

    Raises:
        NotebookFailedError: a cell raised; the file is left as it was.
    """
    node = nbformat.read(notebook, as_version=4)
    before = deepcopy(node.cells)
    client = _client(node, notebook)
    with _kernel(client, database_url):
        run_cells(client, notebook.name)
    node.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
            "language_info": {"name": "python"},
        }
    )
    for cell in node.cells:
        if cell.cell_type == "code" and LIVE in _tags(cell):
            cell.outputs = []
    keep_measured(before, node.cells)
    nbformat.write(node, notebook)


def _tags(cell: NotebookNode) -> set[str]:
    return set(cell.metadata.get("tags", []))


def _client(node: NotebookNode, notebook: Path) -> NotebookClient:
    return NotebookClient(
        node,
        timeout=TIMEOUT,
        kernel_name=KERNEL,
        record_timing=False,
        # Else what is printed comes in as many pieces as the machine is busy.
        coalesce_streams=True,
        resources={"metadata": {"path": str(notebook.parent)}},
        # Else each kernel warns that its messages could be read by others on this machine.
        config=Config({"KernelManager": {"transport_encryption": "auto"}}),
    )


@contextmanager
def _kernel(client: NotebookClient, database_url: str) -> Iterator[None]:
    """Run the client's kernel for the block, and close the event loop that it worked in.

    nbclient makes a loop for each thread and leaves it open.
    """
    with (
        closing(ensure_event_loop()),
        client.setup_kernel(env={**os.environ, "DATABASE_URL": database_url}),
    ):
        yield


def run_cells(client: NotebookClient, name: str) -> None:
    """Run every cell of the client's notebook.

    Raises:
        NotebookFailedError: one raised, took too long, or ended its kernel.
    """
    number = 0
    try:
        for index, cell in enumerate(client.nb.cells):
            number += cell.cell_type == "code"
            # Numbered as in a fresh kernel, whatever this one has run before.
            client.execute_cell(cell, index, execution_count=number)
    except CellExecutionError as error:
        raise NotebookFailedError(name, error.ename, error.evalue) from None
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookFailedError(name, type(error).__name__, str(error)) from None


def to_html(node: NotebookNode, facts: Mapping[str, str], about: str = "") -> str:
    """Return a page with the notebook's texts and outputs, without its code.

    Args:
        node: the notebook after a run.
        facts: for the page's foot.
        about: whom or what it is about, for the title.
    """
    # Widgets need a kernel; their state would only be dead weight in the page.
    node.metadata.pop("widgets", None)
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    live = TagRemovePreprocessor(
        config=Config({"TagRemovePreprocessor": {"remove_cell_tags": HIDDEN}})
    )
    exporter.register_preprocessor(live, enabled=True)
    body, _ = exporter.from_notebook_node(node)
    title = next(
        (cell.source.splitlines()[0].lstrip("# ") for cell in node.cells if cell.source), "Report"
    )
    return page(f"{about}: {title}" if about else title, body, facts)
