"""Database URLs: any PostgreSQL URL in, one that SQLAlchemy and asyncpg agree on out."""

from __future__ import annotations

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from invoicing.errors import UsageError

_POSTGRES = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
# What asyncpg.connect takes as text; the rest of libpq's parameters it does not know.
_PARAMETERS = frozenset(
    {"host", "port", "ssl", "passfile", "service", "servicefile", "target_session_attrs"}
    | {"krbsrvname", "gsslib"}
)


def parse_url(text: str | URL) -> URL:
    """Return `text` as a `postgresql+asyncpg://` URL; its repr masks the password.

    SQLAlchemy 2.1 takes plain `postgresql://` to mean psycopg, so the driver is set here. Of
    libpq's parameters, `user`, `password` and `sslmode` are put where asyncpg looks for them.

    Raises:
        UsageError: it is no URL, not one of PostgreSQL, or has a parameter that asyncpg lacks.
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
    return _with_parameters_in_their_places(url).set(drivername="postgresql+asyncpg")


def _with_parameters_in_their_places(url: URL) -> URL:
    query = dict(url.query)
    # SQLAlchemy masks the password's own field, and would show it among the parameters.
    user, password = query.pop("user", url.username), query.pop("password", url.password)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    unknown = sorted(query.keys() - _PARAMETERS)
    if unknown:
        message = (
            f"DATABASE_URL has the parameter {unknown[0]!r}, which asyncpg does not know. Take it "
            "out; the README lists the settings for timeouts and the application's name"
        )
        raise UsageError(message)
    return url.set(
        username=str(user) if user is not None else None,
        password=str(password) if password is not None else None,
        query=query,
    )
