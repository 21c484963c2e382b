"""The rules for models, loaders, queries and sessions."""

from invoicing.toolkit.policy.rules.registry import RULES

__all__ = ["RULES"]
