"""`invoicing app`: the analyst's page, the portfolio and a rename's board in a browser."""

from __future__ import annotations

import os
import re
import secrets
import socket
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from invoicing.cli.days import check_as_of
from invoicing.cli.output import console, errors
from invoicing.errors import MissingExtraError, UsageError

app = typer.Typer()

_LOCAL = ("127.0.0.1", "localhost", "::1")
_VARIABLE = "INVOICING_APP_TOKEN"


@app.command(name="app")
def serve_app(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = _LOCAL[0],
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8866,
    base_url: Annotated[
        str, typer.Option(help="The path that a reverse proxy serves it at.")
    ] = "/",
    token: Annotated[
        bool,
        typer.Option(help=f"Ask for a token; {_VARIABLE} sets it, else it is a new one."),
    ] = True,
    write: Annotated[bool, typer.Option("--write", help="Let the board's buttons write.")] = False,
    table: Annotated[str, typer.Option(help="The table of the board.")] = "invoice",
    old: Annotated[str, typer.Option(help="The column's old name.")] = "amt",
    new: Annotated[str, typer.Option(help="The column's new name.")] = "amount_cents",
    schema: Annotated[str, typer.Option(help="The table's schema.")] = "",
    as_of: Annotated[str, typer.Option(help="The day of the figures, YYYY-MM-DD; today.")] = "",
) -> None:
    """Serve the analyst's page, the portfolio and a rename's board, without their code.

    It reads only, listens on localhost, and ends with Ctrl-C.

    Example: invoicing app
    """
    if find_spec("voila") is None:
        raise MissingExtraError("voila", "notebooks")
    secret = _secret(host, asked=token)
    if as_of:
        check_as_of(as_of)
    path = f"/{base_url.strip('/')}/".replace("//", "/")
    _check_free(host, port)
    from invoicing.cli.app_pages import write_pages
    from invoicing.cli.app_server import serve
    from invoicing.notebook.pages import RENAME_VARIABLE
    from invoicing.settings import Settings

    settings = Settings.read()
    if write and settings.read_only:
        message = (
            "--write lets the board write, and INVOICING_READ_ONLY forbids it. Nothing was "
            "started. Leave out one of them"
        )
        raise UsageError(message)
    os.environ[RENAME_VARIABLE] = f"{schema}\n{table}\n{old}\n{new}"
    os.environ["INVOICING_READ_ONLY"] = "false" if write else "true"
    # Kernels have a working folder of their own.
    os.environ["INVOICING_HOME"] = str(settings.home.absolute())
    is_given = os.environ.pop(_VARIABLE, None) is not None
    shown = f"[{host}]" if ":" in host else host
    note = "The board's buttons can change the database." if write else "Nothing here can write."
    with TemporaryDirectory(prefix="invoicing-app-") as folder:
        links = write_pages(Path(folder), f"{table}.{old} -> {new}", as_of=as_of)
        # Who gave it knows it, and what a service prints is kept in a log.
        query = f"?token={secret}" if secret and not is_given else ""
        typer.echo(f"http://{shown}:{port}{path}{query}")
        login = f" Add ?token= and what {_VARIABLE} holds." if secret and is_given else ""
        errors.print(f"{note}{login} Stop it with Ctrl-C", markup=False, highlight=False)
        serve(Path(folder), links, note, ip=host, port=port, token=secret, base_url=path)
    console.print("stopped", markup=False)


def _secret(host: str, *, asked: bool) -> str:
    if not asked:
        if host not in _LOCAL:
            message = (
                f"without a token everyone who reaches {host} could read every invoice. "
                "Nothing was started. Leave out --no-token, or leave out --host"
            )
            raise UsageError(message)
        return ""
    given = os.environ.get(_VARIABLE)
    if given is None:
        return secrets.token_urlsafe(24)
    if re.fullmatch(r"[A-Za-z0-9_-]{16,}", given) is None:
        message = (
            f"{_VARIABLE} has to be 16 or more letters, digits, - and _. "
            "Nothing was started. Make one: openssl rand -hex 24"
        )
        raise UsageError(message)
    return given


def _check_free(host: str, port: int) -> None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind) as wanted:
            wanted.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            wanted.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot listen on {host}, port {port}: {reason}. Name another: --port, --host"
        raise UsageError(message) from None
