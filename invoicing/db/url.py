"""Database URLs: any PostgreSQL URL in, one that SQLAlchemy and asyncpg agree on out."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from invoicing.errors import UsageError

_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})


def parse_url(text: str | URL) -> URL:
    """Return `text` as a `postgresql+asyncpg://` URL; its repr masks the password.

    SQLAlchemy 2.1 takes plain `postgresql://` to mean psycopg, so the driver is set here.

    Raises:
        UsageError: it is no URL, or not one of PostgreSQL.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The text itself stays out of the message: it may hold a password.
        message = (
            "DATABASE_URL is not a database URL. It must look like "
            "postgresql://user:password@host:5432/database"
        )
        raise UsageError(message) from None
    if url.drivername not in _POSTGRES:
        message = (
            f"DATABASE_URL names {url.drivername}, and invoicing works on PostgreSQL through "
            "asyncpg only. It must begin with postgresql://"
        )
        raise UsageError(message)
    return _with_password_in_its_place(url).set(drivername="postgresql+asyncpg")


def _with_password_in_its_place(url: URL) -> URL:
    # libpq allows ?user=...&password=..., which SQLAlchemy would show: it masks only its own field.
    user, password = url.query.get("user"), url.query.get("password")
    return url.difference_update_query(["user", "password"]).set(
        username=str(user) if user else url.username,
        password=str(password) if password else url.password,
    )
