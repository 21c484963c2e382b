"""The declarative base, the engine and the one transaction boundary."""

from invoicing.db.base import Base, TimeStampedMixin
from invoicing.db.session import AsyncSession, Database
from invoicing.db.url import parse_url

__all__ = ["AsyncSession", "Base", "Database", "TimeStampedMixin", "parse_url"]
