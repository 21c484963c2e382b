"""`invoicing rename revisions` and `invoicing retype revisions`: both, in any Alembic project."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from invoicing.cli.output import AsJson, console, echo_json
from invoicing.cli.rename_options import New, Old, TableName, make_target
from invoicing.errors import UsageError
from invoicing.toolkit.rename.names import working_name
from invoicing.visible import visible

if TYPE_CHECKING:
    from invoicing.toolkit.rename.alembic.revisions import RenameRevision, RenameRevisions
    from invoicing.toolkit.rename.model import Target

app = typer.Typer()
of_types = typer.Typer()
_Schema = Annotated[str | None, typer.Option(help="Schema of the table; default: the model's.")]
_Config = Annotated[
    str | None, typer.Option(help="alembic.ini or pyproject.toml; default: of this folder.")
]
_Section = Annotated[str, typer.Option("--name", help="Section of alembic.ini.")]
_Head = Annotated[
    str | None, typer.Option(help="Revision to go on from, where there are several heads.")
]
_Using = Annotated[
    str | None, typer.Option(help="The new value, as an expression of the old column.")
]
_Back = Annotated[
    str | None, typer.Option(help="The old value, as an expression of the new column.")
]
_Loss = Annotated[
    Literal["error", "gate"],
    typer.Option(help="A write that cannot be converted back: an error, or for the gate."),
]
_VersionPath = Annotated[
    str | None, typer.Option(help="Folder of the files, where there are several.")
]
_Arguments = Annotated[list[str] | None, typer.Option("-x", help="For env.py, as alembic -x.")]


@app.command()
def revisions(
    *,
    table: TableName,
    old: Old,
    new: New,
    schema: _Schema = None,
    config: _Config = None,
    section: _Section = "alembic",
    head: _Head = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="Type of the new column; default: the old one's.")
    ] = None,
    using: _Using = None,
    back: _Back = None,
    loss: _Loss = "error",
    version_path: _VersionPath = None,
    argument: _Arguments = None,
    as_json: AsJson = False,
) -> None:
    """Write the expand and the contract as two revisions of the Alembic project in this folder.

    Run it in the project's own environment. It prints what the model has to say instead. What is
    there already is not written again.

    Example: invoicing rename revisions loan fee fee_cents
    """
    target = make_target(table, old, new, schema, None)
    if type_ is None and (using, back, loss) != (None, None, "error"):
        message = "--using, --back and --loss are of a change of the type; give --type too"
        raise UsageError(message)
    types = {"type_": type_, "using": using, "back": back, "loss": loss}
    place = _RevisionPlace(config, section, head, version_path, tuple(argument or ()))
    _write(target, types, place, as_json=as_json)


@of_types.command("revisions")
def revisions_of_type(
    *,
    table: TableName,
    column: Annotated[str, typer.Argument(help="The column.", show_default=False)],
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="Its new type.", show_default=False)],
    schema: _Schema = None,
    config: _Config = None,
    section: _Section = "alembic",
    head: _Head = None,
    using: _Using = None,
    back: _Back = None,
    loss: _Loss = "error",
    version_path: _VersionPath = None,
    argument: _Arguments = None,
    as_json: AsJson = False,
) -> None:
    """Write the expand and the contract as two revisions of the Alembic project in this folder.

    Run it in the project's own environment, before or after the model has the new type. What is
    there already is not written again.

    Example: invoicing retype revisions loan fee bigint
    """
    target = make_target(table, column, working_name(column), schema, None)
    types = {"type_": type_, "using": using, "back": back, "loss": loss}
    place = _RevisionPlace(config, section, head, version_path, tuple(argument or ()))
    _write(target, types, place, as_json=as_json)


class _RevisionPlace(NamedTuple):
    """Where the revisions go."""

    config: str | None
    section: str
    head: str | None
    version_path: str | None
    arguments: tuple[str, ...]


def _write(
    target: Target, types: dict[str, str | None], place: _RevisionPlace, *, as_json: bool
) -> None:
    from invoicing.toolkit.rename.alembic.project import open_project
    from invoicing.toolkit.rename.alembic.revisions import write_revisions

    project = open_project(place.config, place.section, place.arguments)
    where = {"head": place.head, "version_path": place.version_path}
    found = write_revisions(project, target, conversion=types, **where)
    if as_json:
        echo_json(json.dumps(_facts(found), indent=2, ensure_ascii=False))
    else:
        _show(target, found, types["type_"])


def _facts(found: RenameRevisions) -> dict[str, object]:
    change = found.change
    return {
        "expand": _revision(found.expand),
        "contract": _revision(found.contract),
        "model": None
        if change is None or change.old == change.new
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
    if target.keeps_name:
        _show_type(target, found, type_)
        return
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
    _say(f"3. {_contract(target, found)}")


def _show_type(target: Target, found: RenameRevisions, type_: str | None) -> None:
    """Say what to do meanwhile, where only the type changes: the model may have it at any time."""
    change = found.change
    place = f" ({_short(change.path)}:{change.line}, {change.model})" if change is not None else ""
    _say(f"2. Let the model say that {target.old} is {type_}{place}, and deploy it")
    _say(f"3. {_contract(target, found)}")


def _contract(target: Target, found: RenameRevisions) -> str:
    confirm = shlex.quote(f"confirm={target.table}.{target.old}")
    return f"alembic -x {confirm} upgrade {found.contract.id}"


def _say(text: str) -> None:
    console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def _short(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
