"""The PostgreSQL server: DATABASE_URL when it is set, else an embedded one of the project's own."""

from invoicing.postgres.resolve import database_url

__all__ = ["database_url"]
