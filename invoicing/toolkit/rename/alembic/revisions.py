"""Write the two revisions of a rename into an Alembic project, once."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
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
from invoicing.toolkit.rename.alembic.ops import ContractRenameOp, ExpandRenameOp
from invoicing.toolkit.rename.alembic.source import steps_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alembic.script import Script

    from invoicing.toolkit.rename.alembic.model_change import ModelChange
    from invoicing.toolkit.rename.alembic.ops import RenameOp
    from invoicing.toolkit.rename.alembic.project import AlembicProject, ColumnFacts
    from invoicing.toolkit.rename.model import Target

_IMPORT = "from invoicing.toolkit.rename import operations  # noqa: F401"


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
        change: what the model says instead; None where no source says it, or says it already.
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
    facts = project.find_column(target)
    shared = (target.table, target.old, target.new, facts.type, facts.nullable, facts.schema)
    types = conversion or {}
    steps: list[RenameOp] = [
        ExpandRenameOp(*shared, **types),
        ContractRenameOp(*shared, **types),
    ]
    there = _there(project, steps)
    messages = distinct_messages([message_of(step, None) for step in steps], project.script)
    missing = [step for step in steps if step.name not in there]
    if missing and head is None:
        _need_one_head(project)
    _refuse_contract_alone(target, there)
    expands: dict[tuple[str | None, str, str, str], str] = {}
    if ExpandRenameOp.name in there:
        expands[(facts.schema, target.table, target.old, target.new)] = there["expand_rename"].id
    add_header_hook(project.script, expands)
    after = head or "head"
    for step, message in zip(steps, messages, strict=True):
        if step in missing:
            made = _write(project, facts, step, message, after, version_path)
            there[step.name] = made
            after = made.id
    old_in_model = facts.table is not None and target.old in facts.table.columns
    change = find_change(facts.table, target.old, target.new) if old_in_model else None  # type: ignore[arg-type]
    env = Path(project.script.env_py_location)
    needs = "" if "invoicing.toolkit.rename" in env.read_text(encoding="utf-8") else _IMPORT
    return RenameRevisions(there["expand_rename"], there["contract_rename"], change, env, needs)


def _there(project: AlembicProject, steps: list[RenameOp]) -> dict[str, RenameRevision]:
    """Return the revisions that take one of the steps, by its name."""
    wanted = {(step.name, step.schema, step.table, step.old, step.new) for step in steps}
    found: dict[str, RenameRevision] = {}
    try:
        revisions = list(project.script.walk_revisions())
    except CommandError as error:
        message = f"cannot read the project's revisions: {error}. Nothing was written"
        raise UsageError(message) from None
    for revision in revisions:
        path = Path(revision.path)
        for step in steps_of(path.read_text(encoding="utf-8")):
            if (step.name, *step.rename) in wanted:
                found[step.name] = RenameRevision(revision.revision, path, written=False)
    return found


def _refuse_contract_alone(target: Target, there: dict[str, RenameRevision]) -> None:
    if ExpandRenameOp.name in there or ContractRenameOp.name not in there:
        return
    message = (
        f"the project has a contract of {target}, and no expand: "
        f"{there[ContractRenameOp.name].path}. Nothing was written. Remove that file, if it was "
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
            "written. Write op.expand_rename(...) by hand"
        )
        raise UsageError(message)
    return RenameRevision(made.revision, path, written=True)
