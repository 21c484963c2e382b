"""The policy gate: rules for SQLAlchemy code, checked without importing or running it.

What its names are for a type checker is in `__init__.pyi`.
"""

from invoicing.toolkit.policy.exports import NAMES
from invoicing.toolkit.policy.exports import __getattr__ as __getattr__

__all__ = list(NAMES)
