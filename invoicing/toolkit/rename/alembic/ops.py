"""The steps of a rename, and of a retype, as Alembic's own kind of operation."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypedDict, Unpack

from alembic.operations import MigrateOperation, Operations
from alembic.util import CommandError
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError

from invoicing.toolkit.rename.model import Options, Target
from invoicing.toolkit.rename.names import Names, working_name

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


class Types(TypedDict, total=False):
    """How a step changes the type: see `RenameOp`."""

    type_: str | TypeEngine[Any] | None
    using: str | None
    back: str | None
    loss: Literal["error", "gate"]


class RetypeArguments(Types, total=False):
    """What a step of a change of the type takes: see `RenameOp`."""

    nullable: bool
    schema: str | None
    batch_size: int


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
        given = None if self.type_ is None else sql_type(self.type_)
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

    def reverse(self) -> MigrateOperation:
        """Return the step that undoes this one."""
        kind = _OPPOSITES[type(self)]
        return kind(*(getattr(self, given.name) for given in fields(self)))


def sql_type(given: str | TypeEngine[Any]) -> str:
    """Return a type as SQL names it; one that SQLAlchemy does not know, as Python shows it."""
    if isinstance(given, str):
        return given
    try:
        text = str(given.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    except CompileError:
        return repr(given)
    return text if '"' in text else text.lower()


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


class RetypeOp(RenameOp):
    """One step of a change of the type alone: a rename to a name that no client knows."""

    @classmethod
    def of(
        cls,
        table: str,
        column: str,
        column_type: TypeEngine[Any],
        **given: Unpack[RetypeArguments],
    ) -> Self:
        """Return the step.

        Args:
            table: its table.
            column: its name, before and after.
            column_type: the type that it has before.
            given: as the attributes; `type_`, which it gets, has to be there.

        Raises:
            CommandError: it is not.
        """
        if given.get("type_") is None:
            message = (
                f"op.{cls.name} of {table}.{column} says no type. Nothing was changed. Give the one"
                ' that the column is to have: type_="bigint"'
            )
            raise CommandError(message)
        return cls(table, column, working_name(column), column_type, **given)

    @classmethod
    def invoke_type(
        cls,
        operations: Operations,
        table: str,
        column: str,
        column_type: TypeEngine[Any],
        **given: Unpack[RetypeArguments],
    ) -> None:
        """Run the step, as `op.expand_retype(...)` and its like do."""
        operations.invoke(cls.of(table, column, column_type, **given))

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return what `compare_metadata` and `alembic check` show."""
        was, becomes = sql_type(self.column_type), self.conversion["type"]
        return (self.name, self.schema, self.table, self.old, was, becomes)


@Operations.register_operation("expand_retype", "invoke_type")
class ExpandRetypeOp(RetypeOp):
    """Add a column of the new type that follows the old one, fill it, and build on it."""

    name = "expand_retype"


@Operations.register_operation("rollback_retype", "invoke_type")
class RollbackRetypeOp(RetypeOp):
    """Drop the column of the new type; the old one has every value."""

    name = "rollback_retype"


@Operations.register_operation("contract_retype", "invoke_type")
class ContractRetypeOp(RetypeOp):
    """Give the column its new type; refused unless confirmed."""

    name = "contract_retype"


@Operations.register_operation("restore_retype", "invoke_type")
class RestoreRetypeOp(RetypeOp):
    """Change the type back, online as well: from `type_` to `column_type`."""

    name = "restore_retype"

    @property
    def conversion(self) -> dict[str, str | None]:
        """Return the way back, as `Options` has it."""
        there = super().conversion
        ways = {"using": self.back, "back": self.using}
        return there | ways | {"type": sql_type(self.column_type)}


_OPPOSITES: dict[type[RenameOp], type[RenameOp]] = {
    ExpandRenameOp: RollbackRenameOp,
    RollbackRenameOp: ExpandRenameOp,
    ContractRenameOp: RestoreRenameOp,
    RestoreRenameOp: ContractRenameOp,
    ExpandRetypeOp: RollbackRetypeOp,
    RollbackRetypeOp: ExpandRetypeOp,
    ContractRetypeOp: RestoreRetypeOp,
    RestoreRetypeOp: ContractRetypeOp,
}
