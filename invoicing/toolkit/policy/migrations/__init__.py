"""Rules for Alembic's revision files, read without running them."""

from invoicing.toolkit.policy.migrations.checking import check_revision
from invoicing.toolkit.policy.migrations.history import check_history
from invoicing.toolkit.policy.migrations.revision import Revision
from invoicing.toolkit.policy.migrations.settings import MigrationSettings
from invoicing.toolkit.policy.migrations.squawk import check_sql

__all__ = ["MigrationSettings", "Revision", "check_history", "check_revision", "check_sql"]
