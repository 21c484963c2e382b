"""From one comparison to the revisions of a rename: a file for each step, with its header.

`alembic revision --autogenerate` makes one script of all that it has found. A rename needs two at
least: the code is deployed between them, and each commits by itself. So other changes come first,
in the revision that was asked for; then each rename's expand; then what needs a new name to be
there; then each contract; then the changes of a type, one after another.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import renderers
from alembic.autogenerate.render import _repr_type
from alembic.operations import ops
from alembic.script import write_hooks
from alembic.util import CommandError, rev_id
from sqlalchemy import TypeDecorator

from invoicing.toolkit.rename.alembic import source
from invoicing.toolkit.rename.alembic.header import (
    contract_header,
    contract_type_header,
    expand_header,
    expand_type_header,
)
from invoicing.toolkit.rename.alembic.imports import with_imports
from invoicing.toolkit.rename.alembic.ops import (
    ContractRenameOp,
    ExpandRenameOp,
    ExpandRetypeOp,
    RenameOp,
    RetypeOp,
    sql_type,
)
from invoicing.toolkit.rename.model import Options, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation
    from alembic.operations.ops import MigrationScript
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy.types import TypeEngine

_HOOK = "rename_header"


class ModifyRenamedTableOps(ops.ModifyTableOps):
    """Changes of a table that need a renamed column's new name to be there."""

    def reverse(self) -> ModifyRenamedTableOps:
        """Return the same for the way back."""
        back = super().reverse()
        return ModifyRenamedTableOps(back.table_name, back.ops, schema=back.schema)


def ask_and_split(context: MigrationContext, problems: Sequence[str]) -> None:
    """Let the command that writes revisions ask first, then write one for each step.

    A comparison that writes nothing (`compare_metadata`) does not come here.
    """
    theirs: Callable[..., None] | None = context.opts.get("process_revision_directives")
    theirs = getattr(theirs, "theirs", theirs)

    def process(
        context: MigrationContext,
        revision: object,
        directives: list[MigrationScript],
    ) -> None:
        if problems:
            raise CommandError(" ".join(problems))
        if theirs is not None:
            theirs(context, revision, directives)
        directives[:] = [part for script in directives for part in _split(script, context.script)]
        if context.script is not None:
            add_header_hook(context.script)

    process.theirs = theirs  # type: ignore[attr-defined]
    context.opts["process_revision_directives"] = process


def _split(script: MigrationScript, files: ScriptDirectory | None) -> list[MigrationScript]:
    """Return the scripts that one becomes: itself, where there is no rename in it."""
    upgrades = script.upgrade_ops_list
    steps = [step for each in upgrades for step in each.ops if isinstance(step, RenameOp)]
    if not steps:
        return [script]
    if len(upgrades) > 1:
        message = (
            "cannot write a rename for several databases in one revision. Nothing was written. "
            "Write it for each by itself: invoicing rename revisions TABLE OLD NEW"
        )
        raise CommandError(message)
    expands = [step for step in steps if isinstance(step, ExpandRenameOp)]
    contracts = [step for step in steps if isinstance(step, ContractRenameOp)]
    late = [each for each in upgrades[0].ops if isinstance(each, ModifyRenamedTableOps)]
    _leave_out(script, (RenameOp, ModifyRenamedTableOps))
    parts: list[tuple[str, list[MigrateOperation]]] = [
        (message_of(step, script.message), [step]) for step in expands
    ]
    if late:
        parts.append((f"{script.message or 'changes'} with the new name", [*late]))
    parts += [(message_of(step, script.message), [step]) for step in contracts]
    # A table has one of them at a time, and a column goes before the key that it refers to.
    parts += [
        (message_of(step, script.message), [step]) for step in steps if isinstance(step, RetypeOp)
    ]
    written = [script] if script.upgrade_ops_list[0].ops else []
    messages = distinct_messages([message for message, _ in parts], files)
    for message, (_, upgrade) in zip(messages, parts, strict=True):
        written.append(_script(script, written, message, upgrade))
    return written


def _leave_out(script: MigrationScript, kinds: tuple[type, ...]) -> None:
    for container in (*script.upgrade_ops_list, *script.downgrade_ops_list):
        container.ops[:] = [each for each in container.ops if not isinstance(each, kinds)]


def _script(
    asked: MigrationScript,
    before: list[MigrationScript],
    message: str,
    upgrade: list[MigrateOperation],
) -> MigrationScript:
    """Return the script of one part; the first has what was asked for on the command line."""
    up = ops.UpgradeOps(upgrade)
    down = ops.DowngradeOps([])
    up.reverse_into(down)
    first = not before
    return ops.MigrationScript(
        asked.rev_id if first else rev_id(),
        up,
        down,
        message=message,
        imports=asked.imports,
        head=asked.head if first else before[-1].rev_id,
        splice=asked.splice if first else None,
        branch_label=asked.branch_label if first else None,
        version_path=asked.version_path,
        depends_on=asked.depends_on if first else None,
    )


def message_of(step: RenameOp, asked: str | None) -> str:
    """Return the first line of a step's revision, which its file's name is made of."""
    where = f"{step.schema}.{step.table}" if step.schema else step.table
    said = f": {asked}" if asked else ""
    if isinstance(step, RetypeOp):
        phase = "expand" if isinstance(step, ExpandRetypeOp) else "contract"
        return f"{phase} {where}.{step.old} to type {step.conversion['type']}{said}"
    if isinstance(step, ExpandRenameOp):
        return f"expand {where}.{step.old} to {step.new}{said}"
    return f"contract {where}.{step.old} to {step.new}{said}"


def distinct_messages(messages: Sequence[str], script: ScriptDirectory | None) -> list[str]:
    """Return messages, with a number where two files would have one name."""
    seen: set[str] = set()
    distinct: list[str] = []
    for message in messages:
        number, numbered = 1, message
        while (slug := _slug(numbered, script)) in seen:
            number += 1
            numbered = f"{number} {message}"
        seen.add(slug)
        distinct.append(numbered)
    return distinct


def _slug(message: str, script: ScriptDirectory | None) -> str:
    """Return what a message is in a file's name, or all of it where the name has the id too."""
    slug = "_".join(re.findall(r"\w+", message)).lower()
    if script is None or "%(rev)s" in script.file_template:
        return message
    if len(slug) > script.truncate_slug_length:
        return slug[: script.truncate_slug_length].rsplit("_", 1)[0]
    return slug


@renderers.dispatch_for(RenameOp)
def render(context: AutogenContext, step: RenameOp) -> str:
    """Return the call of a step."""
    prefix = context.opts.get("alembic_module_prefix") or "op."
    names = (
        (step.table, step.old) if isinstance(step, RetypeOp) else (step.table, step.old, step.new)
    )
    arguments = [source.literal(name) for name in names]
    arguments.append(_repr_type(_plain(step.column_type, context), context))
    if step.nullable:
        arguments.append("nullable=True")
    if step.schema is not None:
        arguments.append(f"schema={source.literal(step.schema)}")
    if isinstance(step, (ExpandRenameOp, ExpandRetypeOp)) and step.batch_size != Options.batch_size:
        arguments.append(f"batch_size={step.batch_size}")
    given = step.type_ if step.type_ is None else sql_type(step.type_)
    ways = {"type_": given, "using": step.using, "back": step.back, "loss": step.loss}
    for option, value in ways.items():
        if value not in {None, Options.loss}:
            arguments.append(f"{option}={source.literal(value)}")
    return source.call(f"{prefix}{step.name}", arguments)


def _plain(column_type: TypeEngine[Any], context: AutogenContext) -> TypeEngine[Any]:
    """Return what a project's own type is made of, unless env.py says how to write that type.

    Its module would have to be imported by the revision, which only says what kind of value it is.
    """
    says = context.opts.get("render_item") or context.opts.get("user_module_prefix")
    own = not type(column_type).__module__.startswith("sqlalchemy.")
    if own and not says and isinstance(column_type, TypeDecorator):
        return column_type.load_dialect_impl(context.dialect)
    return column_type


def add_header_hook(
    script: ScriptDirectory, expands: dict[tuple[str | None, str, str, str], str] | None = None
) -> None:
    """Let each revision of a rename get its header, before the project's own hooks format it.

    Args:
        script: of the project.
        expands: the ids of expands that are there already, by their schema, table and names.
    """
    if not any(hook.get("type") == _HOOK for hook in script.hooks):
        ours: Any = {"_hook_name": "header of a rename", "type": _HOOK, "expands": expands or {}}
        script.hooks = [ours, *script.hooks]


@write_hooks.register(_HOOK)
def _write_header(filename: str, options: dict[str, Any]) -> None:
    path = Path(filename)
    text = path.read_text(encoding="utf-8")
    steps = source.steps_of(text)
    revision = source.assigned(text, "revision") or ""
    if len(steps) != 1:
        return
    (step,) = steps
    target = Target(step.table, step.old, step.new, step.schema)
    expands: dict[tuple[Any, ...], str] = options["expands"]
    size = step.batch_size or Options.batch_size
    chosen = Options(batch_size=size, **step.conversion)  # type: ignore[arg-type]
    before = expands.get(step.rename) or source.assigned(text, "down_revision") or "before it"
    if step.name in {ExpandRenameOp.name, ExpandRetypeOp.name}:
        expands[step.rename] = revision
    if step.name == ExpandRenameOp.name:
        header = expand_header(target, revision, chosen, nullable=step.nullable)
    elif step.name == ExpandRetypeOp.name:
        header = expand_type_header(target, revision, chosen)
    elif target.keeps_name:
        header = contract_type_header(target, revision, before, chosen)
    else:
        header = contract_header(target, revision, before)
    headed = with_imports(source.with_header(text, header), _is_first_party)
    path.write_text(headed, encoding="utf-8")


def _is_first_party(name: str) -> bool:
    """Tell whether a package is the project's own, as ruff does: by the folder it is run in."""
    return Path(name).is_dir() or Path(f"{name}.py").is_file()
