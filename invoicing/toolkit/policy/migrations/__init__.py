"""Rules for Alembic's revision files, read without running them."""

from invoicing.toolkit.policy.migrations.checking import check_revision, check_rules
from invoicing.toolkit.policy.migrations.history import check_history, check_steps
from invoicing.toolkit.policy.migrations.revision import Revision
from invoicing.toolkit.policy.migrations.settings import MigrationSettings
from invoicing.toolkit.policy.migrations.squawk import check_sql
from invoicing.toolkit.policy.migrations.steps import RevisionSteps

__all__ = [
    "MigrationSettings",
    "Revision",
    "RevisionSteps",
    "check_history",
    "check_revision",
    "check_rules",
    "check_sql",
    "check_steps",
]
