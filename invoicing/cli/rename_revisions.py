"""`invoicing rename revisions`: the two revisions of a rename, in any Alembic project."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from invoicing.cli.output import AsJson, console, echo_json
from invoicing.cli.rename_options import New, Old, TableName, make_target
from invoicing.errors import UsageError
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename.alembic.revisions import RenameRevision, RenameRevisions
    from invoicing.toolkit.rename.model import Target

app = typer.Typer()


@app.command()
def revisions(
    *,
    table: TableName,
    old: Old,
    new: New,
    schema: Annotated[
        str | None, typer.Option(help="Schema of the table; default: the model's.")
    ] = None,
    config: Annotated[
        str | None, typer.Option(help="alembic.ini or pyproject.toml; default: of this folder.")
    ] = None,
    section: Annotated[str, typer.Option("--name", help="Section of alembic.ini.")] = "alembic",
    head: Annotated[
        str | None, typer.Option(help="Revision to go on from, where there are several heads.")
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Type of the new column; default: the old one's.")
    ] = None,
    using: Annotated[
        str | None, typer.Option(help="The new value, as an expression of the old column.")
    ] = None,
    back: Annotated[
        str | None, typer.Option(help="The old value, as an expression of the new column.")
    ] = None,
    loss: Annotated[
        Literal["error", "gate"],
        typer.Option(help="A write that cannot be converted back: an error, or for the gate."),
    ] = "error",
    version_path: Annotated[
        str | None, typer.Option(help="Folder of the files, where there are several.")
    ] = None,
    argument: Annotated[
        list[str] | None, typer.Option("-x", help="For env.py, as alembic -x.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the expand and the contract as two revisions of the Alembic project in this folder.

    Run it in the project's own environment. It prints what the model has to say instead. What is
    there already is not written again.

    Example: invoicing rename revisions loan fee fee_cents
    """
    from invoicing.toolkit.rename.alembic.project import open_project
    from invoicing.toolkit.rename.alembic.revisions import write_revisions

    target = make_target(table, old, new, schema, None)
    project = open_project(config, section, argument or [])
    if type_ is None and (using, back, loss) != (None, None, "error"):
        message = "--using, --back and --loss are of a change of the type; give --type too"
        raise UsageError(message)
    types = {"type_": type_, "using": using, "back": back, "loss": loss}
    found = write_revisions(project, target, head=head, version_path=version_path, conversion=types)
    if as_json:
        echo_json(json.dumps(_facts(found), indent=2, ensure_ascii=False))
    else:
        _show(target, found, type_)


def _facts(found: RenameRevisions) -> dict[str, object]:
    change = found.change
    return {
        "expand": _revision(found.expand),
        "contract": _revision(found.contract),
        "model": None
        if change is None
        else {"path": str(change.path), "line": change.line, "old": change.old, "new": change.new},
        "env_needs": found.env_needs or None,
    }


def _revision(revision: RenameRevision) -> dict[str, object]:
    return {"id": revision.id, "path": str(revision.path), "written": revision.written}


def _show(target: Target, found: RenameRevisions, type_: str | None) -> None:
    for revision in (found.expand, found.contract):
        verb = "Wrote" if revision.written else "There already:"
        _say(f"{verb} {_short(revision.path)}")
    if found.env_needs:
        _say(f"Add to {_short(found.env)}: {found.env_needs}")
    _say(f"1. alembic upgrade {found.expand.id}")
    change = found.change
    maps = f"maps {target.new}" if type_ is None else f"maps {target.new} as {type_}"
    if change is None:
        _say(f"2. Deploy the code that {maps}")
    else:
        place = f"{_short(change.path)}:{change.line}, {change.model}"
        also = "" if type_ is None else f", and its type there becomes {type_}"
        _say(f"2. Deploy the code that {maps} ({place}{also}):")
        for sign, text in (("-", change.old), ("+", change.new)):
            for line in text.splitlines():
                _say(f"{sign} {line}")
    confirm = shlex.quote(f"confirm={target.table}.{target.old}")
    _say(f"3. alembic -x {confirm} upgrade {found.contract.id}")


def _say(text: str) -> None:
    console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
