"""Which database to use: DATABASE_URL's, else that of the project's embedded server."""

from __future__ import annotations

import logging
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.db.url import parse_url
from invoicing.settings import Settings
from invoicing.toolkit.postgres.server import Outcome, Server

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

DATABASE = "invoicing"
_log = logging.getLogger(__name__)


def database_url(settings: Settings | None = None) -> URL:
    """Return DATABASE_URL, or the URL of the embedded server, started if need be.

    Raises:
        PostgresError: the embedded server cannot be started; the message says what to do.
        UsageError: DATABASE_URL is not one of PostgreSQL.
    """
    settings = settings if settings is not None else Settings.read()
    if settings.database_url is not None:
        return parse_url(settings.database_url.get_secret_value())
    server = embedded_server(settings)
    report = server.ensure_running()
    # A recovery is not what the caller asked about, and still has to be seen.
    level = logging.WARNING if report.outcome is Outcome.RECOVERED else logging.INFO
    _log.log(level, "%s", report)
    return server.url()


def embedded_server(settings: Settings | None = None) -> Server:
    """Return the project's embedded server, running or not; DATABASE_URL does not matter here."""
    settings = settings if settings is not None else Settings.read()
    home = home_folder(settings)
    return Server(home / "postgres", database=DATABASE, port=settings.port, of_home=True)


def home_folder(settings: Settings) -> Path:
    """Return the folder of everything the project keeps: the same one from any folder within it."""
    home = settings.home.expanduser()
    # Resolved, so that two names of one folder name one server.
    return (home if home.is_absolute() else _project_folder() / home).resolve()


def _project_folder() -> Path:
    """Return the checkout we are in, else that of this package, else the current folder."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[3]):
        if _is_project(folder / "pyproject.toml"):
            return folder
    return here


def _is_project(pyproject: Path) -> bool:
    try:
        project = tomllib.loads(pyproject.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return False
    return bool(project.get("name") == "invoicing")
