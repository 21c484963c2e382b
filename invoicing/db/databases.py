"""Databases of a server, made and dropped: statements that no transaction may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from invoicing.db.refusal import explain
from invoicing.db.session import Database
from invoicing.db.url import beside, quoted

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def drop_database(database: Database) -> None:
    """Close a database and remove it from its server, with everything in it."""
    await database.dispose()
    name = quoted_name(database.url)
    await run_on_server(database.url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def quoted_name(url: URL) -> str:
    """Return the name of a URL's database, quoted for SQL."""
    return quoted(url.database or "")


async def run_on_server(url: URL, statement: str, *, unless: str | None = None) -> None:
    """Run a statement on the server's own database; the SQLSTATE `unless` is no error."""
    async with Database(beside(url, "postgres")) as server:
        engine = server.engine.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            try:
                await connection.exec_driver_sql(statement)
            except DBAPIError as error:
                refused = explain(error)
                if refused.sqlstate != unless:
                    raise refused from None
