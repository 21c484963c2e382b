"""A database to try a rename on: a sample with the amount still under its old name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.db import Database
from invoicing.db.databases import drop_database, quoted_name, run_on_server
from invoicing.db.migrations import current_revision, upgrade
from invoicing.practice.traffic import NEW_CODE, OLD_CODE
from invoicing.sample.load import load_sample

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

_INVOICES_AN_ACCOUNT = 100
_UNFINISHED, _FINISHED = "invoicing: practice, being made", "invoicing: practice"
_NOTE = text("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :name")
_EXISTS = "42P04"


async def open_practice(url: URL, *, invoices: int) -> Database:
    """Return the database of that URL on a server of ours; made with `invoices` if need be.

    One that is there is opened as it is, with the rename as far as it has come; one whose making
    was interrupted is made anew.

    Raises:
        StatementFailedError: this account may not create databases.
    """
    name = quoted_name(url)
    await run_on_server(url, f"CREATE DATABASE {name}", unless=_EXISTS)
    database = Database(url)
    async with database.read_only() as session:
        note = await session.scalar(_NOTE, {"name": url.database})
    if note == _UNFINISHED:
        await drop_practice(database)
        return await open_practice(url, invoices=invoices)
    if await current_revision(database) is None:
        await run_on_server(url, f"COMMENT ON DATABASE {name} IS '{_UNFINISHED}'")
        await upgrade(database)
        accounts = max(invoices // _INVOICES_AN_ACCOUNT, 1)
        await load_sample(database, accounts=accounts, invoices=invoices)
        back = f"ALTER TABLE {OLD_CODE.table} RENAME {NEW_CODE.column} TO {OLD_CODE.column}"
        async with database.transaction() as session:
            await session.execute(text(back))
        await run_on_server(url, f"COMMENT ON DATABASE {name} IS '{_FINISHED}'")
    return database


async def drop_practice(database: Database) -> None:
    """Close a practice database and remove it, with everything in it."""
    await drop_database(database)
