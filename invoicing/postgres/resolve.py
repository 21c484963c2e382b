"""Which database to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.db.url import parse_url
from invoicing.errors import PostgresError
from invoicing.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


def database_url(settings: Settings | None = None) -> URL:
    """Return DATABASE_URL, or the URL of the embedded server, started if need be."""
    settings = settings if settings is not None else Settings.read()
    if settings.database_url is not None:
        return parse_url(settings.database_url.get_secret_value())
    raise PostgresError("no embedded server yet")
