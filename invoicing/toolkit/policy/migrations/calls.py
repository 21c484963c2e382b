"""What one call does: of Alembic's `op`, of a batch, a connection, a type, a table, a helper."""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.actions import HOLE, Action
from invoicing.toolkit.policy.migrations.definitions import of_labels
from invoicing.toolkit.policy.migrations.schema import LOOKING, OPERATIONS, enum_name, execute
from invoicing.toolkit.policy.migrations.schemas import in_schema
from invoicing.toolkit.policy.migrations.values import CallValue

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.values import Value

EXECUTES = {"execute", "exec_driver_sql", "scalar", "scalars", "executescript"}
WRITES = {
    "add",
    "add_all",
    "merge",
    "commit",
    "update",
    "bulk_insert_mappings",
    "bulk_save_objects",
}
HARMLESS = {
    "append", "extend", "close", "connect", "begin", "flush", "refresh", "query", "info", "debug",
    "warning", "error", "exception", "rollback", "expire", "expire_all", "expunge_all", "reflect",
}  # fmt: skip
MODULES = {"alembic.op", "alembic.operations.ops"}
EXITS = {"sys.exit", "exit", "quit"}
BATCH = "alembic.op.batch_alter_table"
SILENT = {"sqlalchemy", "alembic", "builtins", *sys.stdlib_module_names}


def of_name(dotted: str, made: CallValue, *, alone: bool) -> list[Action]:
    """List what the call of something imported does; `alone` is a whole statement."""
    module, _, name = dotted.rpartition(".")
    if module in MODULES:
        operation = OPERATIONS.get(name)
        if operation is not None:
            return [in_schema(each, made.kwargs.get("schema")) for each in operation(made)]
        return [] if name in LOOKING else [Action("opaque", name=name, said=f"op.{name}")]
    if name in EXECUTES:
        return execute(made)
    return [Action("opaque", said=f"{name}()")] if alone and not silent(dotted) else []


def of_method(owner: Value, name: str, made: CallValue, *, alone: bool) -> list[Action]:
    """List what the call of something's method does."""
    if name in EXECUTES:
        return execute(made)
    if isinstance(owner, CallValue) and owner.dotted == BATCH:
        return in_batch(owner, name, made)
    if isinstance(owner, CallValue) and name in {"create", "drop"}:
        return of_object(owner, name)
    dotted = owner.dotted if isinstance(owner, CallValue) else ""
    if name == "delete" and "query" in dotted.split("."):
        return [Action("lose", "table", HOLE, said="query().delete()")]
    harmless = name in HARMLESS or dotted.startswith("logging.")
    if name in {"create_all", "drop_all"} or (alone and not harmless):
        change = Action("change", "data", said=f"{name}()")
        return [change if name in WRITES else Action("opaque", said=f"{name}()")]
    return []


def in_batch(batch: CallValue, name: str, made: CallValue) -> list[Action]:
    """List what an operation of a batch does: it is Alembic's own, with the table left out."""
    operation = OPERATIONS.get(name)
    if operation is None:
        return []
    args, table = list(made.args), batch.get(0, "table_name")
    # What is named itself has its own name before the table's.
    if name.startswith("create_") or name in {"drop_index", "drop_constraint"}:
        key = "index_name" if "index" in name else "constraint_name"
        own = args.pop(0) if args else made.kwargs.get(key)
        args = [own, table, *args]
    else:
        args = [table, *args]
    steps = operation(CallValue(f"alembic.op.{name}", args, made.kwargs))
    return [in_schema(each, batch.get(1, "schema")) for each in steps]


def of_object(owner: CallValue, verb: str) -> list[Action]:
    """List what `Enum.create(bind)`, `Table.drop(bind)` and `Index.create(bind)` do."""
    kind = {"Table": "table", "Index": "index", "Sequence": "sequence"}.get(owner.word)
    enum = enum_name(owner)
    if enum is None and kind is None:
        return [Action("opaque", said=f".{verb}()")]
    name = enum or owner.get(0, "name")
    name = name if isinstance(name, str) else HOLE
    kind = "type" if enum else kind or ""
    said = f"{owner.word}.{verb}"
    if verb == "drop":
        return [Action("drop", kind, name, lenient=True, said=said)]
    if kind == "table":
        return OPERATIONS["create_table"](CallValue("create_table", [name, *owner.args[2:]]))
    return [Action("create", kind, name, said=said, facts=of_labels(owner) if enum else ())]


def silent(dotted: str) -> bool:
    """Tell whether a function of this name leaves the schema alone."""
    return dotted.partition(".")[0] in SILENT or hasattr(builtins, dotted)
