"""Units of work that are under way, and what a program allows itself in them."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.capture.traffic import ConnectionTraffic
    from invoicing.toolkit.profiling.statement import Allowance, Transaction

# The blocks of `allow` that are open.
ALLOWED: ContextVar[tuple[Allowance, ...]] = ContextVar("invoicing_allowed", default=())


class UnitOfWork:
    """A unit of work that is under way.

    Attributes:
        transaction: what is known of it.
        wire: how its traffic is counted.
        taken: whether it is in the sample.
    """

    __slots__ = ("taken", "transaction", "wire")

    def __init__(self, transaction: Transaction, wire: ConnectionTraffic, *, taken: bool) -> None:
        self.transaction = transaction
        self.wire = wire
        self.taken = taken
