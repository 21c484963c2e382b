"""Record what code asks of its database: which statements, from which lines, at what cost."""

from invoicing.profiling.model import Caller, Cause, EntityRows, Identity, Statement, Transaction

__all__ = ["Caller", "Cause", "EntityRows", "Identity", "Statement", "Transaction"]
