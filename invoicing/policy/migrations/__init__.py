"""Rules for Alembic's revision files, read without running them."""

from invoicing.policy.migrations.checking import RULES, check_revision
from invoicing.policy.migrations.history import check_history
from invoicing.policy.migrations.revision import Revision
from invoicing.policy.migrations.rule import Rule
from invoicing.policy.migrations.safe import check_sql
from invoicing.policy.migrations.settings import MigrationSettings

__all__ = [
    "RULES",
    "MigrationSettings",
    "Revision",
    "Rule",
    "check_history",
    "check_revision",
    "check_sql",
]
