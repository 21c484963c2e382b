"""Any path will do, and one project has one server whatever folder one is in."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from invoicing.errors import SettingsError
from invoicing.settings import Settings
from invoicing.toolkit.postgres import Server, database_url, embedded_server, home_folder
from invoicing.toolkit.postgres.errors import DataFolderUnreachableError
from tests.postgres.conftest import query

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "name",
    [
        "with spaces",
        "ünï-код-数",
        """quote's "double" $HOME `id` ;#% [b]""",
        "/".join(["a long name in the middle of a deep tree"] * 12),
    ],
    ids=["spaces", "not ASCII", "shell characters", "longer than a socket's path"],
)
async def test_a_server_runs_in_a_folder_named(
    name: str, folder: Path, make_server: Callable[..., Server]
) -> None:
    server = make_server(folder / name / "data", database="invoicing")
    server.ensure_running()
    url = server.url().set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SHOW data_directory") == str(server.data_dir)
    await connection.close()


def test_a_long_temporary_folder_is_passed_over(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = folder / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    server.ensure_running()
    assert not list(long.iterdir())
    assert query(server, "SELECT 1") == "1"


def test_a_process_with_another_temporary_folder_finds_the_server(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = server.ensure_running().pid
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    assert server.ensure_running().pid == pid
    assert query(server, "SELECT 1") == "1"


@pytest.mark.parametrize("inside", [".", "notebooks", "tests/postgres"])
def test_every_folder_of_a_project_has_the_same_home(
    inside: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    (folder / inside).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder / inside)
    assert home_folder(Settings()) == folder / ".invoicing"


def test_outside_any_project_the_home_is_that_of_the_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "pyproject.toml").write_text('[project]\nname = "another"\n')
    monkeypatch.chdir(folder)
    assert home_folder(Settings()) == CHECKOUT / ".invoicing"


def test_two_names_of_one_folder_are_one_server(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "link").symlink_to(folder / "real")
    real, linked = (
        embedded_server(Settings(home=path))
        for path in (folder / "real", folder / "link" / ".." / "link")
    )
    assert real.data_dir == linked.data_dir == folder / "real" / "postgres"


def test_database_url_wins_and_starts_nothing(folder: Path) -> None:
    settings = Settings(home=folder / "home", DATABASE_URL="postgres://me:secret@there/db")
    assert str(database_url(settings)) == "postgresql+asyncpg://me:***@there/db"
    assert not (folder / "home").exists()


def test_a_port_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVOICING_PORT", "70000")
    with pytest.raises(SettingsError, match="INVOICING_PORT"):
        Settings.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for another user")
def test_data_below_a_closed_folder_is_refused_and_no_permission_is_changed(
    server: Server, folder: Path
) -> None:
    folder.chmod(0o700)
    before = [(path, path.stat().st_mode, path.stat().st_uid) for path in folder.parents]
    with pytest.raises(DataFolderUnreachableError, match="INVOICING_HOME"):
        server.ensure_running()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [(path, path.stat().st_mode, path.stat().st_uid) for path in folder.parents] == before
