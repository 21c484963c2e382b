"""Migrations: one head, true headers, up and down and up again with rows, the same SQL by psql."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from invoicing.db import Database
from invoicing.db.errors import MigrationInProgressError
from invoicing.db.migrations import (
    MIGRATION_LOCK,
    alembic_config,
    current_revision,
    head_revision,
    upgrade,
)
from invoicing.settings import Settings
from invoicing.toolkit.postgres import find_installation
from tests.factories import create_account, create_invoice
from tests.migrations.running import downgrade

if TYPE_CHECKING:
    from alembic.script import Script
    from sqlalchemy.engine import URL

ROOT = Path(__file__).parents[2]


def revisions() -> list[Script]:
    return list(ScriptDirectory.from_config(alembic_config()).walk_revisions())


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


@pytest.mark.parametrize("script", revisions(), ids=lambda script: script.revision)
def test_the_header_says_what_the_variables_say(script: Script) -> None:
    header = script.module.__doc__
    said = dict(re.findall(r"^([A-Z][A-Za-z ]+):[ ]?(.*)$", header, re.MULTILINE))
    assert said["Revision ID"] == script.revision
    assert said["Revises"] == (script.down_revision or "")
    assert said["Phase"] in {"expand", "contract"}
    for topic in ("Locks", "Deploy sequence", "Old code keeps working because", "If interrupted"):
        assert topic in said
    made = re.sub(r"\D", "", said["Create Date"])[:12]
    assert re.sub(r"\D", "", Path(script.path).name[:15]) == made


async def catalog(url: URL) -> dict[str, list]:
    """Describe everything a migration makes, so that two schemas can be compared."""
    queries = {
        "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " AND table_name <> 'alembic_version'",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename <> 'alembic_version'",
        "constraints": "SELECT conrelid::regclass::text, pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " AND conrelid <> coalesce(to_regclass('alembic_version'), 0)",
        "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "schemas": "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_'",
        "types": "SELECT typname FROM pg_type WHERE typtype = 'e'",
        "functions": "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    }
    async with Database(url, Settings()) as database, database.read_only() as session:
        return {
            what: sorted(map(tuple, await session.execute(text(query))), key=repr)
            for what, query in queries.items()
        }


async def test_up_down_and_up_again_with_rows_present(empty_database_url: URL) -> None:
    empty = await catalog(empty_database_url)
    async with Database(empty_database_url, Settings()) as database:
        await upgrade(database)
        assert await current_revision(database) == head_revision()
        full = await catalog(empty_database_url)
        account = create_account()
        create_invoice(account, line_cents=[1, 2])
        async with database.transaction() as session:
            session.add(account)
        for script in revisions():
            await downgrade(database, script.down_revision or "base")
        assert await catalog(empty_database_url) == empty
        await upgrade(database)
        assert await catalog(empty_database_url) == full


async def test_the_models_and_the_migrations_agree(migrated_database_url: URL) -> None:
    def check(sync: object) -> None:
        config = alembic_config()
        config.attributes["connection"] = sync
        config.stdout = io.StringIO()
        command.check(config)

    database = Database(migrated_database_url, Settings())
    async with database, database.engine.connect() as connection:
        await connection.run_sync(check)


async def test_the_script_for_psql_makes_the_same_schema(
    empty_database_url: URL, migrated_database_url: URL
) -> None:
    script = io.StringIO()
    config = alembic_config()
    config.output_buffer = script
    with redirect_stdout(script):
        command.upgrade(config, "head", sql=True)
    url = empty_database_url.set(drivername="postgresql").render_as_string(hide_password=False)
    run = subprocess.run(
        [
            find_installation().program("psql"),
            "--no-psqlrc",
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            url,
        ],
        input=script.getvalue(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert await catalog(empty_database_url) == await catalog(migrated_database_url)


async def test_the_alembic_command_works_from_the_checkout(empty_database_url: URL) -> None:
    url = empty_database_url.render_as_string(hide_password=False)
    alembic = [sys.executable, "-m", "alembic", "-x", f"url={url}"]
    for verb in (["upgrade", "head"], ["check"], ["downgrade", "base"]):
        run = subprocess.run(alembic + verb, cwd=ROOT, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr


async def test_a_second_operator_learns_who_is_migrating(empty_database_url: URL) -> None:
    first = Database(empty_database_url, Settings(application_name="first"))
    second = Database(empty_database_url, Settings())
    async with first, second, first.transaction() as session:
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        await session.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": MIGRATION_LOCK})
        with pytest.raises(MigrationInProgressError) as caught:
            await upgrade(second)
    assert (caught.value.pid, caught.value.application) == (pid, "first")
    async with Database(empty_database_url, Settings()) as database:
        assert await current_revision(database) is None


async def test_a_migration_that_cannot_have_its_lock_changes_nothing(
    empty_database_url: URL,
) -> None:
    """A table that another session has locked makes the migration give up; no queue builds up."""
    async with Database(empty_database_url, Settings()) as database:
        first = revisions()[-1].revision
        await upgrade(database, first)
        async with database.transaction() as session:
            await session.execute(text("LOCK TABLE account"))
            with pytest.raises(DBAPIError) as caught:
                await upgrade(database)
        assert caught.value.orig.sqlstate == "55P03"
        assert await current_revision(database) == first
