"""The options of `invoicing rename`: each command takes those that it uses."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import typer

from invoicing.db.url import parse_url, shown_url
from invoicing.toolkit.rename import Options, Target

Table = Annotated[str, typer.Argument(help="The table.", show_default=False)]
Old = Annotated[str, typer.Argument(help="The column's name now.", show_default=False)]
New = Annotated[str, typer.Argument(help="The name it shall have.", show_default=False)]
Schema = Annotated[str | None, typer.Option(help="The table's schema; else the search path's.")]
Url = Annotated[
    str | None, typer.Option(help="The database; else DATABASE_URL, else the embedded one.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Accept = Annotated[
    list[str] | None,
    typer.Option(
        help="A refusal that you take upon yourself, by its name, or all of a kind; may be given "
        "again."
    ),
]
Way = Annotated[
    Literal["columns", "view"],
    typer.Option(help="columns: fill a second column; view: a view in the table's place."),
]
LockTimeout = Annotated[float, typer.Option(help="Seconds a statement waits for its lock.")]
LockAttempts = Annotated[int, typer.Option(help="How often it tries before it gives up.")]
BatchSize = Annotated[int, typer.Option(help="Rows of one batch, committed by itself.")]
BatchBytes = Annotated[
    int, typer.Option(help="Bytes of the values of one batch; a larger value goes alone.")
]
Workers = Annotated[int, typer.Option(help="Connections that backfill at once.")]
Stripes = Annotated[
    int | None, typer.Option(help="Passes over each range of pages; chosen if not given.")
]
Pause = Annotated[float, typer.Option(help="Seconds of rest after each batch.")]
BatchTarget = Annotated[
    float, typer.Option("--target", help="A batch of more seconds makes the next one smaller.")
]
MaxLag = Annotated[float | None, typer.Option(help="Wait while a replica is more seconds behind.")]
Quiet = Annotated[float, typer.Option(help="Seconds without a write by the old name.")]
MaxAge = Annotated[float, typer.Option(help="Name transactions that are older, in seconds.")]
USUAL = Options()


def make_target(table: str, old: str, new: str, schema: str | None, url: str | None) -> Target:
    """Return what to rename; its command lines name the database that was named."""
    if url is None:
        return Target(table, old, new, schema)
    shown = shown_url(parse_url(url))
    return Target(table, old, new, schema, shown)


def make_options(*, accept: list[str] | None = None, **given: Any) -> Options:  # noqa: ANN401 -- any option's value
    """Return what the command line says, and the defaults for the rest."""
    return replace(USUAL, accept=frozenset(accept or ()), **given)
