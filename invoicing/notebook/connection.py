"""How a notebook comes to its database."""

from __future__ import annotations

import asyncio
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from IPython.core.getipython import get_ipython
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.migrations import current_revision
from invoicing.db.refusal import UNDEFINED_TABLE, explain
from invoicing.errors import SchemaMissingError
from invoicing.notebook.errors import MissingAwaitError
from invoicing.toolkit.postgres import database_url

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.lib.pretty import RepresentationPrinter
    from sqlalchemy.engine import URL

_NOT_AWAITED = "A call is missing an await. Write: rows = await read_frame(...), for instance"


async def open_database(url: str | URL | None = None) -> Database:
    """Return the database at `url`, else at DATABASE_URL, else the embedded server's.

    The embedded server is started if need be, in a thread, so that the kernel stays responsive.
    From here on a cell says in one sentence what the database refused, and that a connection was
    lost.
    Close it in the notebook's last cell: `await database.dispose()`.

    Raises:
        SchemaMissingError: no migration has run there; it says what to run.
        DatabaseUnavailableError: it cannot be reached.
    """
    _say_in_one_sentence()
    if url is None:
        database = Database.routed(await asyncio.to_thread(database_url))
    else:
        database = Database(url)
    if await current_revision(database) is None:
        await database.dispose()
        raise SchemaMissingError(UNDEFINED_TABLE, f"{database.shown_url} has no tables of ours")
    return database


def _say_in_one_sentence() -> None:
    shell = get_ipython()
    if shell is None:
        return

    def show(
        shell: InteractiveShell,
        kind: type[BaseException],
        error: BaseException,
        traceback: object,
        **_: object,
    ) -> None:
        if isinstance(error, DBAPIError):
            refused = explain(error)
            kind, error, traceback = type(refused), refused, None
        elif "'coroutine' object" in str(error):
            error.add_note(_NOT_AWAITED)
        shell.showtraceback((kind, error, traceback))

    shell.set_custom_exc((DBAPIError, AttributeError, TypeError), show)  # type: ignore[no-untyped-call]
    if shell.display_formatter is not None:
        plain = shell.display_formatter.formatters["text/plain"]
        plain.for_type(CoroutineType, _show_coroutine)


def _show_coroutine(
    coroutine: CoroutineType[Any, Any, Any], printer: RepresentationPrinter, _cycle: bool
) -> None:
    printer.text(str(MissingAwaitError(coroutine.__name__)))  # type: ignore[no-untyped-call]
