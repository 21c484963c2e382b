"""Units: no Citus, a schema that cannot be a unit, and what keeps one from being distributed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from invoicing.db.url import quoted
from invoicing.errors import InvoicingError, UsageError, error_of_fields

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoCitusError(InvoicingError):
    """The database has no Citus that distributes schemas.

    Attributes:
        target: the database's URL without its password.
        version: the version of Citus that is there; None for none.
        available: whether the server could create the extension.
    """

    def __init__(self, target: str, *, version: str | None, available: bool) -> None:
        self.target, self.version, self.available = target, version, available
        create = "invoicing db psql -c 'CREATE EXTENSION citus'"
        if version is not None:
            says = f"has Citus {version}, and schemas are distributed from 12 on. Upgrade it"
        elif available:
            says = f"has no Citus yet, and its server does. Run on every node: {create}"
        else:
            says = (
                "is on a server without Citus. Install Citus 12 or newer on every node, add it to "
                f"shared_preload_libraries, restart, and run there: {create}"
            )
        super().__init__(
            f"{target} {says}. Then add the workers (SELECT citus_add_node('host', 5432)) and run "
            "this again. Nothing was changed"
        )


class NotAUnitError(UsageError):
    """The tables are not in a schema of their own.

    Attributes:
        move: the statements that move them there.
    """

    unit = "unit_a"

    def __init__(self, move: Sequence[str]) -> None:
        self.move = move
        script = "; ".join((f"CREATE SCHEMA {quoted(self.unit)}", *move))
        roll_up = "run invoicing portfolio drop, " if move else ""
        super().__init__(
            "a unit is a schema of its own, named by INVOICING_SCHEMA, and the public schema is "
            "not distributed: every database has it, with what belongs to all. Nothing was "
            f"changed. Move the tables out of it: while no process uses them, {roll_up}run "
            f"invoicing db psql -c {shlex.quote(script)}, set INVOICING_SCHEMA={self.unit}, and "
            "run: invoicing db distribute"
        )


@error_of_fields
class CannotDistributeError(InvoicingError):
    """Something keeps the schema from being distributed.

    Attributes:
        schema: its name.
        reasons: what it is, each with what to do about it.
    """

    schema: str
    reasons: Sequence[str]
    message = (
        "cannot distribute {schema!r}: {self.listed}. Nothing was changed. Then run: "
        "invoicing db distribute"
    )

    @property
    def listed(self) -> str:
        """The reasons, one after the other."""
        return "; ".join(self.reasons)
