"""The notebooks as pages: which cells of each are shown, and a board for one rename."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from invoicing.folders import notebooks_folder
from invoicing.notebook.pages import guarded

# Of 01 what a click changes; the rest of it explains how the figures are asked for.
_ACCOUNT_CELLS = ("parameters", "setup", "page")
_NAMES = ("account", "portfolio", "rename")
_SAMPLE_DAY = 'as_of = "2026-06-30"'


class PageLink(NamedTuple):
    """A page of the index."""

    name: str
    title: str
    summary: str


def write_pages(folder: Path, target: str, *, as_of: str) -> list[PageLink]:
    """Write the pages' notebooks into a folder, and return the links of the index.

    Args:
        folder: an empty folder.
        target: the rename of the board, as `invoice.amt -> amount_cents`.
        as_of: the day that the figures are of; empty for the day each page is opened.
    """
    account = _read("01_dashboard", lambda cell: cell.id in _ACCOUNT_CELLS)
    portfolio = _read("04_portfolio", _is_for_readers)
    board = _new([_code("from invoicing.notebook.pages import open_board\nawait open_board()")])
    titles = ("An account at a glance", "All accounts together", f"Rename {target}")
    summaries = (
        "Search an account, filter its invoices, choose one to see its lines, save what is shown.",
        "Totals by month and status, ageing, the largest accounts, and what does not add up.",
        "Where the rename is, how far and how fast, who is at work, and who blocks it.",
    )
    links = [PageLink(*link) for link in zip(_NAMES, titles, summaries, strict=True)]
    for link, notebook in zip(links, (account, portfolio, board), strict=True):
        # Else Voila's links open a new tab, and the page here keeps its kernel.
        back = '<a href="../../" target="_self">All pages</a>'
        cells = [_text(f"{back}\n\n# {link.title}")]
        cells += [_guarded(cell, as_of) for cell in notebook.cells]
        page = _new([_code("from invoicing.notebook.pages import Page\npage = Page()"), *cells])
        nbformat.write(page, folder / f"{link.name}.ipynb")
    return links


def _read(name: str, shown: Callable[[NotebookNode], bool]) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(notebooks_folder() / f"{name}.ipynb", as_version=4)
    notebook.cells = [cell for cell in notebook.cells if shown(cell)]
    return notebook


def _is_for_readers(cell: NotebookNode) -> bool:
    left_out = "notebook-only" in cell.metadata.get("tags", ()) or cell.id == "title-heading"
    return not left_out and not cell.id.endswith("-check")


def _guarded(cell: NotebookNode, as_of: str) -> NotebookNode:
    if cell.cell_type == "markdown":
        return _text(cell.source)
    source = cell.source.replace(_SAMPLE_DAY, f"as_of = {as_of!r}")
    return _code(guarded(source))


def _text(markdown: str) -> NotebookNode:
    return _code(f"page.text({markdown!r})")


def _code(source: str) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(source)
    return cell


def _new(cells: list[NotebookNode]) -> NotebookNode:
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=spec)
    return notebook
