"""The rules for models, loaders, queries and sessions."""

from invoicing.policy.rules.registry import RULES

__all__ = ["RULES"]
