"""Write the two revisions of a rename, or of another type, into an Alembic project, once."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError, rev_id

from invoicing.errors import UsageError
from invoicing.toolkit.rename.alembic.directives import (
    add_header_hook,
    distinct_messages,
    message_of,
    render,
)
from invoicing.toolkit.rename.alembic.model_change import find_change
from invoicing.toolkit.rename.alembic.ops import (
    ContractRenameOp,
    ContractRetypeOp,
    ExpandRenameOp,
    ExpandRetypeOp,
    sql_type,
)
from invoicing.toolkit.rename.alembic.source import steps_of
from invoicing.toolkit.rename.names import is_working_name
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.script import Script
    from sqlalchemy.types import TypeEngine

    from invoicing.toolkit.rename.alembic.model_change import ModelChange
    from invoicing.toolkit.rename.alembic.ops import RenameOp
    from invoicing.toolkit.rename.alembic.project import AlembicProject, ColumnFacts
    from invoicing.toolkit.rename.model import Target

_IMPORT = "from invoicing.toolkit.rename import operations  # noqa: F401"

# What SQLAlchemy calls types that SQL has two names for.
_LONG = {"int": "integer", "int4": "integer", "int8": "bigint", "int2": "smallint"}


@dataclass(frozen=True)
class RenameRevision:
    """A revision of the rename.

    Attributes:
        id: its revision id.
        path: its file.
        written: whether it was written now, or was there.
    """

    id: str
    path: Path
    written: bool


@dataclass(frozen=True)
class RenameRevisions:
    """What the project has of the rename by now.

    Attributes:
        change: what the model says instead, or where it says the type; None where no source says
            it, or says it already.
        env_needs: the import that env.py lacks; empty where it has it.
    """

    expand: RenameRevision
    contract: RenameRevision
    change: ModelChange | None
    env: Path
    env_needs: str


def write_revisions(
    project: AlembicProject,
    target: Target,
    *,
    head: str | None = None,
    version_path: str | None = None,
    conversion: Mapping[str, Any] | None = None,
) -> RenameRevisions:
    """Write what is not there yet of the expand and the contract.

    Args:
        project: where.
        target: what; the schema is the model's, unless it is given.
        head: the revision to go on from; needed where there are several heads.
        version_path: the folder of the files, where there are several and the head does not say.
        conversion: `type_`, `using`, `back` and `loss` of the operations, for another type.

    Raises:
        UsageError: the project has several heads, or the column is not known.
    """
    types = conversion or {}
    facts = _facts(project, target, types)
    steps = _steps(facts, target, types)
    expand, contract = (step.name for step in steps)
    there = _there(project, steps)
    messages = distinct_messages([message_of(step, None) for step in steps], project.script)
    missing = [step for step in steps if step.name not in there]
    if missing and head is None:
        _need_one_head(project)
    _refuse_contract_alone(target, there, expand, contract)
    expands: dict[tuple[str | None, str, str, str], str] = {}
    if expand in there:
        expands[(facts.schema, target.table, target.old, target.new)] = there[expand].id
    add_header_hook(project.script, expands)
    after = head or "head"
    for step, message in zip(steps, messages, strict=True):
        if step in missing:
            made = _write(project, facts, step, message, after, version_path)
            there[step.name] = made
            after = made.id
    old_in_model = facts.table is not None and target.old in facts.table.columns
    new = target.old if target.keeps_name else target.new
    change = find_change(facts.table, target.old, new) if old_in_model else None  # type: ignore[arg-type]
    env = Path(project.script.env_py_location)
    needs = "" if "invoicing.toolkit.rename" in env.read_text(encoding="utf-8") else _IMPORT
    return RenameRevisions(there[expand], there[contract], change, env, needs)


def _facts(project: AlembicProject, target: Target, types: Mapping[str, Any]) -> ColumnFacts:
    """Return the column as it is before: the model may have its new type already.

    Raises:
        UsageError: it has, and so has the database.
    """
    facts = project.find_column(target)
    if not target.keeps_name or not _same(facts.type, types):
        return facts
    found = project.find_in_database(target)
    if found is None or _same(found.type, types):
        message = (
            f"cannot change the type of {target}: it is {sql_type(facts.type)} already. Nothing was"
            " written. Check the type"
        )
        raise UsageError(message)
    return replace(found, schema=facts.schema, table=facts.table)


def _same(type_: TypeEngine[Any], types: Mapping[str, Any]) -> bool:
    wanted = str(types["type_"]).lower()
    return sql_type(type_) == _LONG.get(wanted, wanted)


def _steps(facts: ColumnFacts, target: Target, types: Mapping[str, Any]) -> list[RenameOp]:
    if target.keeps_name:
        place = (target.table, target.old, facts.type)
        given: Any = {"nullable": facts.nullable, "schema": facts.schema, **types}
        return [kind.of(*place, **given) for kind in (ExpandRetypeOp, ContractRetypeOp)]
    shared = (target.table, target.old, target.new, facts.type, facts.nullable, facts.schema)
    return [ExpandRenameOp(*shared, **types), ContractRenameOp(*shared, **types)]


def _there(project: AlembicProject, steps: list[RenameOp]) -> dict[str, RenameRevision]:
    """Return the revisions that take one of the steps, by its name."""
    wanted = {
        _key(step.name, *(step.schema, step.table, step.old, step.new), step.conversion)
        for step in steps
    }
    found: dict[str, RenameRevision] = {}
    try:
        revisions = list(project.script.walk_revisions())
    except CommandError as error:
        message = f"cannot read the project's revisions: {error}. Nothing was written"
        raise UsageError(message) from None
    for revision in revisions:
        path = Path(revision.path)
        for step in steps_of(path.read_text(encoding="utf-8")):
            if _key(step.name, *step.rename, step.conversion) in wanted:
                found[step.name] = RenameRevision(revision.revision, path, written=False)
    return found


def _key(name: str, schema: str | None, *names: Any) -> tuple[Any, ...]:
    """Return what identifies a step: a column's type may change more than once."""
    *parts, conversion = names
    type_ = conversion.get("type") if is_working_name(parts[-1]) else None
    return (name, schema, *parts, type_)


def _refuse_contract_alone(
    target: Target, there: dict[str, RenameRevision], expand: str, contract: str
) -> None:
    if expand in there or contract not in there:
        return
    message = (
        f"the project has a contract of {target}, and no expand: "
        f"{there[contract].path}. Nothing was written. Remove that file, if it was "
        "never run, then run the same command again"
    )
    raise UsageError(message)


def _need_one_head(project: AlembicProject) -> None:
    heads = [project.script.get_revision(head) for head in project.script.get_heads()]
    if len(heads) <= 1:
        return
    named = ", ".join(_named(head) for head in heads if head is not None)
    message = (
        f"the project has {len(heads)} heads: {visible(named)}. Nothing was written. Say which one "
        f"to go on from: --head {heads[0].revision if heads[0] else 'REVISION'}"
    )
    raise UsageError(message)


def _named(head: Script) -> str:
    labels = ", ".join(sorted(head.branch_labels))
    return f"{head.revision} ({labels or head.doc})"


def _write(
    project: AlembicProject,
    facts: ColumnFacts,
    step: RenameOp,
    message: str,
    after: str,
    version_path: str | None,
) -> RenameRevision:
    context = facts.context
    context.imports.clear()
    upgrade, downgrade = render(context, step), render(context, step.reverse())  # type: ignore[arg-type]
    try:
        with redirect_stdout(io.StringIO()):
            made = project.script.generate_revision(
                rev_id(),
                message,
                refresh=True,
                head=after,
                version_path=version_path,
                upgrades=indent(upgrade, " " * 4).strip(),
                downgrades=indent(downgrade, " " * 4).strip(),
                imports="\n".join(sorted(context.imports)),
                config=project.config,
            )
    except CommandError as error:
        raise UsageError(
            f"cannot write a revision: {error}. Check --head, --version-path"
        ) from None
    if made is None:
        raise UsageError("Alembic wrote no revision. Check version_locations")
    path = Path(made.path)
    if not steps_of(path.read_text(encoding="utf-8")):
        path.unlink()
        message = (
            f"the template {Path(project.script.dir, 'script.py.mako')} has no place for "
            "${upgrades} and ${downgrades}, as those for several databases have. Nothing was "
            f"written. Write op.{step.name}(...) by hand"
        )
        raise UsageError(message)
    return RenameRevision(made.revision, path, written=True)
