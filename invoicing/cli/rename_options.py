"""The options of `invoicing rename`: each command takes those that it uses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from inspect import Parameter, Signature, signature
from itertools import chain
from typing import Annotated, Any, Literal, TypeVar

import typer

from invoicing.cli.output import AsJson
from invoicing.db import Database
from invoicing.db.url import parse_url, shown_url
from invoicing.toolkit.postgres import database_url
from invoicing.toolkit.rename import LiveSettings, Options, Rename, Target
from invoicing.toolkit.rename.names import working_name
from invoicing.toolkit.rename.taken import TAKEN

Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., None])

TableName = Annotated[str, typer.Argument(help="The table.", show_default=False)]
Old = Annotated[str, typer.Argument(help="The current column name.", show_default=False)]
New = Annotated[str, typer.Argument(help="The new column name.", show_default=False)]
Schema = Annotated[
    str | None, typer.Option(help="Schema of the table; default: by the search path.")
]
Url = Annotated[
    str | None, typer.Option(help="The database; else DATABASE_URL, else the embedded one.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_NAMES: dict[str, Any] = {"table": TableName, "old": Old, "new": New}
# Of a change of the type; the commands that may begin it take the type as well.
_COLUMN: dict[str, Any] = {
    "table": TableName,
    "column": Annotated[str, typer.Argument(help="The column.", show_default=False)],
}
_TYPE: dict[str, Any] = {
    "type": Annotated[
        str | None,
        typer.Argument(help="Its new type; left out, to continue.", show_default=False),
    ]
}
# How the command line asks for each of `Options`; its default and who takes it are the model's.
_OPTIONS: dict[str, Any] = {
    "strategy": Annotated[
        Literal["columns", "view"],
        typer.Option(help="columns: fill a second column; view: a view in the table's place."),
    ],
    "type": Annotated[
        str | None, typer.Option("--type", help="Type of the new column; default: the old one's.")
    ],
    "using": Annotated[
        str | None,
        typer.Option(help="The new value, as an expression of the column: 'round(fee * 100)'."),
    ],
    "back": Annotated[
        str | None,
        typer.Option(help="The old value, as one of the new column: 'fee_cents / 100.0'."),
    ],
    "loss": Annotated[
        Literal["error", "gate"],
        typer.Option(
            help="A write that cannot be converted back: an error to the writer, or counted at "
            "the gate."
        ),
    ],
    "batch_size": Annotated[
        int, typer.Option(help="Rows in a batch; each batch is a transaction.")
    ],
    "batch_bytes": Annotated[
        int, typer.Option(help="Bytes of values in a batch; a larger value is a batch of its own.")
    ],
    "workers": Annotated[int, typer.Option(help="Connections that backfill in parallel.")],
    "stripes": Annotated[
        int | None, typer.Option(help="Passes over each range of pages; default: chosen by fill.")
    ],
    "pause": Annotated[float, typer.Option(help="Seconds to sleep after each batch.")],
    "target": Annotated[
        float,
        typer.Option(help="Seconds that a batch may take; after a slower one the next is smaller."),
    ],
    "max_replica_lag": Annotated[
        float | None, typer.Option(help="Wait while a replica lags by more seconds.")
    ],
    "latency_guard": Annotated[
        float | None,
        typer.Option(help="Go slower where clients wait more than so many times as long, as 1.5."),
    ],
    "max_active": Annotated[
        int | None, typer.Option(help="Rest while more sessions of other programs are active.")
    ],
    "max_wal_rate": Annotated[
        float | None, typer.Option(help="Go slower above so many MB of WAL a second.")
    ],
    "lock_timeout": Annotated[
        float, typer.Option(help="Seconds that a statement waits for its lock.")
    ],
    "lock_attempts": Annotated[int, typer.Option(help="Attempts to get a lock before giving up.")],
    "quiet": Annotated[float, typer.Option(help="Seconds without a write to the old name.")],
    "max_transaction_age": Annotated[
        float, typer.Option(help="Report transactions older than this, in seconds.")
    ],
    "accept": Annotated[
        list[str] | None,
        typer.Option(
            help="Accept a finding that you have checked, by its name, or all of a kind; may be "
            "repeated."
        ),
    ],
}

Watch = Annotated[float | None, typer.Option(min=0.2, help="Refresh every so many seconds.")]
Form = Annotated[
    Literal["text", "json", "openmetrics"],
    typer.Option("--format", help="openmetrics: for Prometheus."),
]


@dataclass(frozen=True)
class CommandContext:
    """What a command works on, and how: what was given of the options that every command shares.

    Attributes:
        url: None for the database of DATABASE_URL, or the embedded one.
    """

    target: Target
    options: Options
    url: str | None
    as_json: bool
    yes: bool = False

    def run(self, use: Callable[[Rename], Awaitable[Result]]) -> Result:
        """Use the rename, and return what comes of it."""

        async def work() -> Result:
            async with Database(self.url or database_url()) as database:
                return await use(Rename(database, self.target, self.options))

        return asyncio.run(work())

    def command(self, verb: str) -> str:
        """Return a command line that goes about it in the same way."""
        return self.target.command(verb, self.options)


def rename_command(app: typer.Typer, *, asks: bool = False) -> Callable[[Command], Command]:
    """Register a command that takes a context, made of the options of `TAKEN` for its name.

    Its own parameters stay as they are; those before the context are shown before the options. One
    of `LiveSettings` becomes an option for each setting, by none of which anything is set.

    Args:
        app: where it is registered.
        asks: whether it asks before it begins, and `--yes` answers.
    """

    def register(body: Command) -> Command:
        _register(app, body, _NAMES, TAKEN[body.__name__], asks=asks)
        return body

    return register


def retype_command(app: typer.Typer, *, asks: bool = False) -> Callable[[Command], Command]:
    """Register a command of a change of the type, which takes a column and what `TAKEN` says."""

    def register(body: Command) -> Command:
        taken = TAKEN[body.__name__]
        # No name of the column's ends, so that nothing has to be quiet before the contract.
        options = [name for name in taken if name not in {"strategy", "type", "quiet"}]
        _register(app, body, _COLUMN | (_TYPE if "type" in taken else {}), options, asks=asks)
        return body

    return register


def _register(
    app: typer.Typer,
    body: Callable[..., None],
    arguments: dict[str, Any],
    taken: Sequence[str],
    *,
    asks: bool,
) -> None:
    settings = LiveSettings.names() if "settings" in signature(body).parameters else []

    def run(**values: object) -> None:
        given: dict[str, Any] = values
        names = {name: given.pop(name) for name in (*arguments, "schema")}
        options = {name: given.pop(name) for name in taken}
        if "type" in names:
            options["type"] = names.pop("type")
        if "accept" in options:
            options["accept"] = frozenset(options["accept"] or ())
        shared = {name: given.pop(name) for name in ("url", "yes", "as_json") if name in given}
        if settings:
            given["settings"] = LiveSettings(**{name: given.pop(name) for name in settings})
        if "column" in names:
            names["old"] = names.pop("column")
            names["new"] = working_name(names["old"])
        target = make_target(**names, url=shared["url"])
        body(context=CommandContext(target, Options(**options), **shared), **given)

    run.__name__, run.__doc__ = body.__name__, body.__doc__
    run.__signature__ = _signature(body, arguments, taken, asks=asks)  # type: ignore[attr-defined]
    app.command()(run)


def _signature(
    body: Callable[..., None], arguments: dict[str, Any], taken: Sequence[str], *, asks: bool
) -> Signature:
    """Return what typer reads: the parameters of a command, with the context taken apart."""
    own = list(signature(body, eval_str=True).parameters.values())
    place = [parameter.name for parameter in own].index("context")
    usual = asdict(Options()) | {"accept": None}
    shared = [_parameter("url", Url, None), *([_parameter("yes", Yes, False)] if asks else [])]
    return Signature(
        [
            *(
                _parameter(name, kind, None if name == "type" else Parameter.empty)
                for name, kind in arguments.items()
            ),
            _parameter("schema", Schema, None),
            *own[:place],
            *(_parameter(name, _OPTIONS[name], usual[name]) for name in taken),
            *chain.from_iterable(map(_expanded, own[place + 1 :])),
            *shared,
            _parameter("as_json", AsJson, False),
        ]
    )


def _expanded(parameter: Parameter) -> list[Parameter]:
    if parameter.annotation is not LiveSettings:
        return [parameter]
    return [_parameter(name, _OPTIONS[name], None) for name in LiveSettings.names()]


def _parameter(name: str, annotation: object, default: object = Parameter.empty) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


def make_target(table: str, old: str, new: str, schema: str | None, url: str | None) -> Target:
    """Return what to rename; its command lines name the database that was named."""
    shown = None if url is None else shown_url(parse_url(url))
    return Target(table, old, new, schema, shown)
