"""All rules for code, in the order in which they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.rules.async_only import ASYNC_ONLY
from invoicing.toolkit.policy.rules.bases import BASE_AND_TIMESTAMPS
from invoicing.toolkit.policy.rules.lazy_raise import LAZY_RAISE
from invoicing.toolkit.policy.rules.loaders import COLLECTION_SELECTIN, SINGLE_JOINED
from invoicing.toolkit.policy.rules.queries import NO_QUERY_IN_MODELS, QUERY_OUTSIDE_SERVICES
from invoicing.toolkit.policy.rules.shared_session import SHARED_SESSION

if TYPE_CHECKING:
    from invoicing.toolkit.policy.model import Rule

RULES: tuple[Rule, ...] = (
    ASYNC_ONLY,
    BASE_AND_TIMESTAMPS,
    LAZY_RAISE,
    COLLECTION_SELECTIN,
    SINGLE_JOINED,
    NO_QUERY_IN_MODELS,
    QUERY_OUTSIDE_SERVICES,
    SHARED_SESSION,
)
