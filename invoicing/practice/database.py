"""A database to try a rename on: a sample with the amount still under its old name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from invoicing.db import Database
from invoicing.db.databases import drop_database, quoted_name, run_on_server
from invoicing.db.migrations import current_revision, upgrade
from invoicing.db.url import beside
from invoicing.errors import UsageError
from invoicing.practice.traffic import NEW_CODE, OLD_CODE
from invoicing.sample.load import load_sample
from invoicing.visible import visible

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

COMMAND, NOTEBOOK = "the command", "a notebook"
_INVOICES_AN_ACCOUNT = 100
_UNFINISHED, _FINISHED = "invoicing: practice, being made", "invoicing: practice"
_NOTE = text("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = :name")
_THERE = text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
_EXISTS = "42P04"


async def open_practice(url: URL, *, invoices: int, maker: str = COMMAND) -> Database:
    """Return the database of that URL on a server of ours; made with `invoices` if need be.

    One that is there is opened as it is, with the rename as far as it has come; one whose making
    was interrupted is made anew.

    Args:
        url: of the practice database.
        invoices: how many it is made with.
        maker: who makes it, to be asked for by `practice_maker`.

    Raises:
        StatementFailedError: this account may not create databases.
        UsageError: the database of that name was not made to practise on.
    """
    name = quoted_name(url)
    await run_on_server(url, f"CREATE DATABASE {name}", unless=_EXISTS)
    await _refuse_other(url)
    database = Database(url)
    if await _note(url) == _UNFINISHED:
        await drop_practice(database)
        return await open_practice(url, invoices=invoices, maker=maker)
    if await current_revision(database) is None:
        await run_on_server(url, f"COMMENT ON DATABASE {name} IS '{_UNFINISHED}'")
        await upgrade(database)
        accounts = max(invoices // _INVOICES_AN_ACCOUNT, 1)
        await load_sample(database, accounts=accounts, invoices=invoices)
        back = f"ALTER TABLE {OLD_CODE.table} RENAME {NEW_CODE.column} TO {OLD_CODE.column}"
        async with database.transaction() as session:
            await session.execute(text(back))
        await run_on_server(url, f"COMMENT ON DATABASE {name} IS '{_FINISHED}, made by {maker}'")
    return database


async def renew_practice(url: URL, *, invoices: int, maker: str = COMMAND) -> Database:
    """Return the same, made anew whatever was left there by an earlier run.

    Raises:
        UsageError: the database of that name was not made to practise on.
    """
    async with Database(beside(url, "postgres")) as server, server.read_only() as session:
        there = await session.scalar(_THERE, {"name": url.database})
    if there:
        await _refuse_other(url)
        await drop_practice(Database(url))
    return await open_practice(url, invoices=invoices, maker=maker)


async def practice_maker(url: URL) -> str | None:
    """Return who made the practice database of that URL; None where there is none."""
    note = await _note(url)
    if note is None or not note.startswith(_FINISHED) or note == _UNFINISHED:
        return None
    return note.removeprefix(f"{_FINISHED}, made by ") if "made by" in note else COMMAND


async def drop_practice(database: Database) -> None:
    """Close a practice database and remove it, with everything in it."""
    await drop_database(database)


async def _refuse_other(url: URL) -> None:
    """Refuse a database that was not made to practise on; one without tables of ours is empty."""
    if (await _note(url) or "").startswith(_FINISHED):
        return
    async with Database(url) as database:
        if await current_revision(database) is None:
            return
    message = (
        f"cannot practise in {visible(url.database or '')}: a database of that name is there, and "
        "was not made to practise on. Nothing was changed. Rename it, or give another DATABASE_URL"
    )
    raise UsageError(message)


async def _note(url: URL) -> str | None:
    async with Database(beside(url, "postgres")) as server, server.read_only() as session:
        note: str | None = await session.scalar(_NOTE, {"name": url.database})
        return note
