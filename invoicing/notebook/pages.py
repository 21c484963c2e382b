"""A notebook served as a page: what a cell raises becomes one sentence, and ends the page."""

from __future__ import annotations

import ast
import os
from typing import TYPE_CHECKING

from IPython.display import HTML, Markdown, display

from invoicing.notebook.callbacks import reason_of
from invoicing.notebook.connection import open_database
from invoicing.notebook.panel import RenamePanel
from invoicing.toolkit.rename import Rename, Target
from invoicing.visible import escape

if TYPE_CHECKING:
    from ipywidgets import VBox

    from invoicing.db import Database

# The column whose rename the board shows, for the kernels of `invoicing app`.
RENAME_VARIABLE = "INVOICING_APP_RENAME"


class Page:
    """What is shown, until something fails; nothing follows the sentence that says what.

    Attributes:
        works: whether no cell has failed.
    """

    def __init__(self) -> None:
        self.works = True

    def text(self, markdown: str) -> None:
        """Show a paragraph."""
        if self.works:
            display(Markdown(markdown))  # type: ignore[no-untyped-call]

    def show(self, value: object) -> None:
        """Show what a cell ends in."""
        if value is not None:
            display(value)  # type: ignore[no-untyped-call]

    def fail(self, error: BaseException) -> None:
        """Say what went wrong; a name from the data, or a host's answer, is text and no markup."""
        self.works = False
        sentence = escape(reason_of(error).replace("\n", " "), quote=False)
        display(HTML(f'<p role="alert"><b>{sentence}</b></p>'))  # type: ignore[no-untyped-call]


def guarded(source: str) -> str:
    """Return a cell's source such that it runs while its page works, and never raises."""
    body = ast.parse(source, mode="exec").body
    if not body:
        return ""
    if isinstance(body[-1], ast.Expr):
        shown = ast.parse("page.show()").body[0]
        shown.value.args.append(body[-1].value)  # type: ignore[attr-defined]
        body[-1] = shown
    guard = ast.parse("if page.works:\n try:\n  pass\n except Exception as e:\n  page.fail(e)")
    guard.body[0].body[0].body = body  # type: ignore[attr-defined]
    return ast.unparse(ast.fix_missing_locations(guard))


async def open_board() -> VBox:
    """Return the board of the rename that the app was started for."""
    schema, table, old, new = os.environ[RENAME_VARIABLE].split("\n")
    database: Database = await open_database()
    return await RenamePanel(Rename(database, Target(table, old, new, schema or None))).open()
