"""The declarative base, the engine and the one transaction boundary."""

from invoicing.db.base import Base, TimeStampedMixin
from invoicing.db.session import AsyncSession, Database
from invoicing.db.url import libpq_url, parse_url

__all__ = ["AsyncSession", "Base", "Database", "TimeStampedMixin", "libpq_url", "parse_url"]
