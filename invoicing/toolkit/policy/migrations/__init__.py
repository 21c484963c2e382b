"""Rules for Alembic's revision files, read without running them."""

from invoicing.toolkit.policy.migrations.checking import RULES, check_revision
from invoicing.toolkit.policy.migrations.history import check_history
from invoicing.toolkit.policy.migrations.revision import Revision
from invoicing.toolkit.policy.migrations.rule import Rule
from invoicing.toolkit.policy.migrations.safe import check_sql
from invoicing.toolkit.policy.migrations.settings import MigrationSettings

__all__ = [
    "RULES",
    "MigrationSettings",
    "Revision",
    "Rule",
    "check_history",
    "check_revision",
    "check_sql",
]
