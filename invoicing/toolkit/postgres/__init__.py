"""The PostgreSQL server: DATABASE_URL when it is set, else an embedded one of the project's own."""

from invoicing.toolkit.postgres.installation import (
    Installation,
    find_installation,
    find_installations,
    find_psql,
)
from invoicing.toolkit.postgres.resolve import database_url, embedded_server, home_folder
from invoicing.toolkit.postgres.server import Outcome, Server, ServerStatus, StartReport
from invoicing.toolkit.postgres.standby import make_standby

__all__ = [
    "Installation",
    "Outcome",
    "Server",
    "ServerStatus",
    "StartReport",
    "database_url",
    "embedded_server",
    "find_installation",
    "find_installations",
    "find_psql",
    "home_folder",
    "make_standby",
]
