"""`invoicing rename practice`: a database to try a rename on."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from invoicing.cli.output import console
from invoicing.db.url import beside, shown_url
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.rename import Target

app = typer.Typer()


@app.command()
def practice(
    *,
    rows: Annotated[int, typer.Option(min=1, help="How many invoices.")] = 20_000,
    drop: Annotated[bool, typer.Option("--drop", help="Drop it, with everything in it.")] = False,
) -> None:
    """Create a database to practise on, beside your own: invoices that still have the old name.

    Example: invoicing rename practice --rows 200000
    """
    from invoicing.practice import (
        NEW_CODE,
        OLD_CODE,
        drop_practice,
        open_practice,
    )

    url = database_url()
    url = beside(url, f"{url.database}_rename_practice")

    async def make() -> None:
        database = await open_practice(url, invoices=rows)
        if drop:
            await drop_practice(database)
        else:
            await database.dispose()

    with console.status(f"Dropping {url.database}" if drop else f"Creating {url.database}"):
        asyncio.run(make())
    if drop:
        console.print(f"{url.database} was dropped", markup=False, highlight=False)
        return
    shown = shown_url(url)
    target = Target(OLD_CODE.table, OLD_CODE.column, NEW_CODE.column, url=shown)
    console.print(
        f"{url.database} is ready. Give its URL to each command. Next: {target.command('plan')}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
