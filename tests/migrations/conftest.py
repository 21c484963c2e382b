"""A foreign project and its database, before the rename."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import execute
from tests.migrations.loans import TABLE
from tests.migrations.project import make_project

if TYPE_CHECKING:
    from pathlib import Path

    from alembic.config import Config
    from sqlalchemy.engine import URL


@pytest.fixture
async def loans(empty_database_url: URL) -> URL:
    """Return a database with loans, as they are before the rename."""
    await execute(empty_database_url, *TABLE)
    return empty_database_url


@pytest.fixture
def project(tmp_path: Path) -> Config:
    return make_project(tmp_path / "project")
