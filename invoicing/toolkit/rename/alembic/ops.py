"""The four steps of a rename as Alembic's own kind of operation: invoked, reversed, compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack

from alembic.operations import MigrateOperation, Operations
from sqlalchemy.dialects import postgresql

from invoicing.toolkit.rename.model import Options, Target
from invoicing.toolkit.rename.names import Names

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


class Types(TypedDict, total=False):
    """How a step changes the type: see `RenameOp`."""

    type_: str | TypeEngine[Any] | None
    using: str | None
    back: str | None
    loss: Literal["error", "gate"]


@dataclass
class RenameOp(MigrateOperation):
    """One step of a rename.

    Attributes:
        column_type: the column's type, for whoever reads the revision: what runs takes it, and
            whether it may be NULL, from the catalog.
        batch_size: rows of one batch, unless another number is given.
        type_: the new column's type, as SQL or as SQLAlchemy's; None for that of the old one.
        using, back, loss: how values are converted, as in `Options`.
    """

    name: ClassVar[str]

    table: str
    old: str
    new: str
    column_type: TypeEngine[Any]
    nullable: bool = False
    schema: str | None = None
    batch_size: int = Options.batch_size
    type_: str | TypeEngine[Any] | None = None
    using: str | None = None
    back: str | None = None
    loss: Literal["error", "gate"] = Options.loss

    @classmethod
    def invoke(
        cls,
        operations: Operations,
        table: str,
        old: str,
        new: str,
        column_type: TypeEngine[Any],
        *,
        nullable: bool = False,
        schema: str | None = None,
        batch_size: int = Options.batch_size,
        **types: Unpack[Types],
    ) -> None:
        """Run the step, as `op.expand_rename(...)` and its like do."""
        shared = (table, old, new, column_type, nullable, schema, batch_size)
        operations.invoke(cls(*shared, **types))

    @property
    def conversion(self) -> dict[str, str | None]:
        """Return how the type is changed, as `Options` has it."""
        given = self.type_
        if given is not None and not isinstance(given, str):
            given = given.compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]
        return {"type": given, "using": self.using, "back": self.back, "loss": self.loss}

    @property
    def target(self) -> Target:
        """Return the column to rename."""
        return Target(self.table, self.old, self.new, self.schema)

    @property
    def names(self) -> Names:
        """Return what the rename calls the objects that it makes."""
        return Names(self.schema or "public", self.table, self.old, self.new)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what `compare_metadata` and `alembic check` show."""
        return (self.name, self.schema, self.table, self.old, self.new)

    def reverse(self) -> RenameOp:
        """Return the step that undoes this one."""
        kind = _OPPOSITES[type(self)]
        return kind(*(getattr(self, given.name) for given in fields(self)))


@Operations.register_operation("expand_rename", "invoke")
class ExpandRenameOp(RenameOp):
    """Add the new column, keep both equal, fill it in batches, and make it NOT NULL."""

    name = "expand_rename"


@Operations.register_operation("rollback_rename", "invoke")
class RollbackRenameOp(RenameOp):
    """Drop the new column; refused while it has values that the old one has not."""

    name = "rollback_rename"


@Operations.register_operation("contract_rename", "invoke")
class ContractRenameOp(RenameOp):
    """Drop the old column; refused unless confirmed, and while anything still uses it."""

    name = "contract_rename"


# The second name is deprecated: revisions that were written with it keep working.
@Operations.register_operation("restore_rename", "invoke")
@Operations.register_operation("readd_renamed", "invoke")
class RestoreRenameOp(RenameOp):
    """Add the old column again, fill it in batches from the new one, and keep both equal."""

    name = "restore_rename"


_OPPOSITES: dict[type[RenameOp], type[RenameOp]] = {
    ExpandRenameOp: RollbackRenameOp,
    RollbackRenameOp: ExpandRenameOp,
    ContractRenameOp: RestoreRenameOp,
    RestoreRenameOp: ContractRenameOp,
}
