"""`invoicing init` and `invoicing lab`: the notebooks in a folder of one's own, and JupyterLab."""

from __future__ import annotations

import os
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from invoicing.cli.files import writable
from invoicing.cli.output import console
from invoicing.cli.working_copy import LEFT_OUT, trust, update_copy
from invoicing.errors import MissingExtraError, UsageError
from invoicing.folders import notebooks_folder

app = typer.Typer()

FOLDER = Path("notebooks")
Folder = Annotated[Path, typer.Argument(help="The folder of the notebooks.")]
_LEFT_OUT = shutil.ignore_patterns(*LEFT_OUT)
_OPTIONS = ("--KernelManager.transport_encryption=auto", "--LabApp.default_url=/lab/tree/README.md")


@app.command()
def init(
    folder: Folder = FOLDER,
    *,
    update: Annotated[
        bool, typer.Option("--update", help="The folder may exist: what you changed in it stays.")
    ] = False,
) -> None:
    """Put the notebooks into a folder of your own, to run and to change.

    Example: invoicing init
    """
    if update:
        _update(folder)
        return
    if os.path.lexists(folder):
        message = f"{folder} exists already. Nothing was changed. Name another: invoicing init NAME"
        raise UsageError(message)
    writable(folder / "README.md")
    try:
        shutil.copytree(notebooks_folder(), folder, ignore=_LEFT_OUT)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        reason = error.strerror or "not every notebook could be copied"
        message = (
            f"cannot make {folder}: {reason}. Nothing was kept. Name another: invoicing init NAME"
        )
        raise UsageError(message) from None
    notebooks = list(folder.glob("*.ipynb"))
    trust(notebooks)
    count = len(notebooks)
    console.print(
        f"{count} notebooks in {folder}. Next: invoicing lab", markup=False, highlight=False
    )


def _update(folder: Path) -> None:
    if folder.resolve() == notebooks_folder().resolve():
        message = f"{folder} is where the notebooks come from. Nothing was changed. Name another"
        raise UsageError(message)
    writable(folder / "README.md")
    try:
        done = update_copy(notebooks_folder(), folder)
    except OSError as error:
        message = f"cannot update {folder}: {error.strerror}. Name another: invoicing init NAME"
        raise UsageError(message) from None
    console.print(f"{len(done.written)} files in {folder} are up to date")
    for name in done.kept:
        console.print(f"{name} was changed by you and stays; remove it to have the newer one")


@app.command()
def lab(
    folder: Folder = FOLDER,
) -> None:
    """Open JupyterLab on the notebooks; it listens on localhost, and ends with Ctrl-C.

    Example: invoicing lab
    """
    if find_spec("jupyterlab") is None:
        raise MissingExtraError("jupyterlab", "notebooks")
    if not folder.is_dir():
        message = f"folder {folder} does not exist. Run: invoicing init"
        raise UsageError(message)
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}", *_OPTIONS, *root]
    os.execv(sys.executable, command)
