"""The renames under way in a database, and what of autogenerate's findings they explain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.operations import ops
from sqlalchemy import text

from invoicing.toolkit.rename.alembic.shapes import TableKey
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote, working_name

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from alembic.operations import MigrateOperation
    from sqlalchemy import Table

_THERE = text(
    "SELECT count(*) = 2 FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c"
    " ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace"
    f" WHERE n.nspname = {literal(STATE)} AND c.relname = 'rename'"
    " AND a.attname IN ('key', 'definition')"
)
_RENAMES = text(
    "SELECT schema_name, table_name, old_name, new_name, phase, strategy,"
    f" definition ->> 'base' AS base FROM {quote(STATE)}.rename ORDER BY begun_at"
)
_OWN_DEFAULT = re.compile(r"'invoicing_rename\.k|^\s*CASE\s+WHEN true THEN NULL::")
_PROOF = re.compile(r"rename_[0-9a-f]{12}_not_null$")
_SETTLED = frozenset({Phase.VERIFIED, Phase.CONTRACTING})


@dataclass(frozen=True)
class UnderWay:
    """A rename that is neither over nor undone.

    Attributes:
        table: its table.
        phase: how far it is.
        absent: which of the two columns the model has not; empty where it has both, or neither.
        base: the table behind a view in its place; None for the strategy of two columns.
    """

    table: TableKey
    old: str
    new: str
    phase: Phase
    absent: str
    base: str | None = None

    @property
    def both(self) -> tuple[str, str]:
        """Return its two columns."""
        return (self.old, self.new)

    @property
    def hidden(self) -> frozenset[TableKey]:
        """Return the table that a view has taken the place of, by both names."""
        if self.base is None:
            return frozenset()
        return frozenset({self.table, TableKey(self.table.schema, self.base)})

    def explains(self, operation: MigrateOperation) -> bool:
        """Tell whether what an operation on its table would change is the engine's doing."""
        if isinstance(operation, ops.DropColumnOp):
            return operation.column_name == self.absent
        if isinstance(operation, ops.AddColumnOp):
            # Begun, and not yet there: or taken away again.
            other = {self.old: self.new, self.new: self.old}.get(operation.column.name)
            return other is not None and other == self.absent
        if isinstance(operation, ops.DropConstraintOp) and operation.constraint_type == "check":
            # Checks are compared by their names alone, and the copy's own is until the contract.
            name = str(operation.constraint_name)
            return name.endswith((f"_{self.new}", f"_{self.new}_copy")) or bool(_PROOF.match(name))
        return isinstance(operation, ops.AlterColumnOp) and self._explains_all(operation)

    def _explains_all(self, operation: ops.AlterColumnOp) -> bool:
        """Leave out of an alteration what the engine has altered; tell whether nothing is left."""
        if operation.column_name not in self.both:
            return False
        if operation.column_name == self.old and self.new == working_name(self.old):
            operation.modify_type = None  # which the contract changes
        # Both have defaults that say which of them an INSERT left out.
        default = getattr(operation.existing_server_default, "arg", "")
        if _OWN_DEFAULT.search(str(default)):
            operation.modify_server_default = False
        # Until it is verified, it has neither NOT NULL nor what else the other one has.
        if operation.column_name == self.new and self.phase not in _SETTLED:
            operation.modify_nullable, operation.modify_comment = None, False
            operation.modify_server_default = False
        return not operation.has_changes()


def read_under_way(context: AutogenContext, default: str | None) -> dict[TableKey, list[UnderWay]]:
    """Return the renames under way, by their tables."""
    connection = context.connection
    if connection is None or not connection.scalar(_THERE):
        return {}
    tables = {
        TableKey(None if table.schema == default else table.schema, table.name): table
        for table in context.sorted_tables
    }
    found: dict[TableKey, list[UnderWay]] = {}
    for row in connection.execute(_RENAMES):
        schema = None if row.schema_name == default else row.schema_name
        key, phase = TableKey(schema, row.table_name), Phase(row.phase)
        if phase in {Phase.NONE, Phase.CONTRACTED}:
            continue
        absent = _absent(tables.get(key), row.old_name, row.new_name)
        base = row.base if row.strategy == "view" else None
        found.setdefault(key, []).append(
            UnderWay(key, row.old_name, row.new_name, phase, absent, base)
        )
    return found


def _absent(table: Table | None, old: str, new: str) -> str:
    columns = set() if table is None else {column.name for column in table.columns}
    left = {old, new} - columns
    return left.pop() if len(left) == 1 else ""
