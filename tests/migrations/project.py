"""A foreign Alembic project: its own environment, tables and revisions."""

from __future__ import annotations

import io
import os
import subprocess
from contextlib import redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config

from invoicing.toolkit.postgres import find_installation
from invoicing.toolkit.rename import Options

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import URL

# What `alembic init` writes for an offline run, and the one line that a rename needs.
ENV = """
from alembic import context
from invoicing.toolkit.rename import operations

if context.is_offline_mode():
    context.configure(url="postgresql://", literal_binds=True{offline})
    {begin}
    with context.begin_transaction():
        context.run_migrations()
else:
    connection = context.config.attributes["connection"]
    context.configure(connection=connection{online})
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down}


def upgrade():
    {up}


def downgrade():
    {back}
"""
ARGUMENTS = '"loan", "fee", "fee_cents", sa.Integer()'
RENAME = (
    ("pass", "pass"),
    (f"op.expand_rename({ARGUMENTS})", f"op.rollback_rename({ARGUMENTS})"),
    (f"op.contract_rename({ARGUMENTS})", f"op.readd_renamed({ARGUMENTS})"),
)
OPTIONS = Options(batch_size=50, quiet=0.0, lock_timeout=0.2, lock_attempts=2)


def make_project(
    folder: Path,
    *revisions: tuple[str, str],
    offline: str = "",
    online: str = "",
    begin: str = "",
    options: Options = OPTIONS,
) -> Config:
    """Write a project with a revision 001, 002, ... for each (upgrade, downgrade)."""
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(ENV.format(offline=offline, online=online, begin=begin))
    for number, (up, back) in enumerate(revisions or RENAME, 1):
        down = f'"{number - 1:03}"' if number > 1 else None
        text = REVISION.format(revision=f"{number:03}", down=down, up=up, back=back)
        (folder / "versions" / f"{number:03}.py").write_text(text)
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    config.attributes["rename"] = {"options": options, "confirm": "loan.fee"}
    return config


def write_script(config: Config, revisions: str, *, confirm: str | None = "loan.fee") -> str:
    """Return what `alembic upgrade --sql` writes; `downgrade` where the range goes back."""
    config.attributes["rename"]["confirm"] = confirm
    config.output_buffer = io.StringIO()
    first, last = revisions.split(":")
    run = command.upgrade if first == "base" or first < last else command.downgrade
    with redirect_stdout(config.output_buffer):
        run(config, revisions, sql=True)
    return config.output_buffer.getvalue()


def psql(
    url: URL, sql: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script by psql, as an operator without a psqlrc would."""
    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    program = find_installation().program("psql")
    return subprocess.run(
        [program, "--no-psqlrc", "--quiet", *arguments, target],
        input=sql,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def rename_of(**changes: Any) -> Any:
    """Return the usual options, changed."""
    return replace(OPTIONS, **changes)
