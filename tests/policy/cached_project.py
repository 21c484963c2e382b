"""A project whose files know each other, and edits of it by chance."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests.policy.project import BASE, MODELS, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

NEVER_KEPT = [b"def f(:\n", b"x = '\x00'\n", b"\xff\xfe\n"]
SERVICE = """
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload
from app.{models} import Account, Invoice
from app.loading import load
from app.db.session import Session

async def accounts(session: Session):
    return await session.scalars(select(Account).options(joinedload(Account.invoices)))

async def invoices(session: Session):
    load_all = load(Invoice.account)
    return await session.scalars(select(Invoice).options(selectinload(Invoice.{name}), load_all))
"""
QUERY = """
from sqlalchemy import select
from app.db.session import AsyncSession

async def count(session: AsyncSession):
    await session.scalars(select(Invoice))
"""
REVISION = '''
"""A table.

Revision ID: {id}
Revises: {parent}
"""
from alembic import op
import sqlalchemy as sa
revision = "{id}"
down_revision = {parent!r}
def upgrade():
    op.add_column("account", sa.Column("{column}", sa.Integer(), nullable={nullable}))
def downgrade():
    {back}
'''


def _revision(by: Random) -> str:
    return REVISION.format(
        id=by.choice("abcd"),
        parent=by.choice([None, "a", "b", "missing"]),
        column=by.choice(["x", "y"]),
        nullable=by.choice([True, False]),
        back=by.choice(['op.drop_column("account", "x")', "pass"]),
    )


def _notebook(by: Random) -> str:
    source = [
        "%time x = 1",
        "from sqlalchemy import select\nfrom app.models import Account",
        by.choice(["session.query(Account)", "x ="]),
        "async with Session() as session:\n    await session.scalars(select(Account))",
    ]
    cells = [{"cell_type": "code", "source": each} for each in by.sample(source, 3)]
    return json.dumps({"cells": cells, "nbformat": 4, "metadata": {}})


# What each file may hold: what one says changes what is found in another.
TEXTS: dict[str, Callable[[Random], str]] = {
    "app/base.py": lambda by: by.choice(
        [
            BASE,
            BASE.replace("TimeStampedMixin", "Stamps"),
            BASE.replace("    pass\n\nclass T", "    type_annotation_map = {}\n\nclass T"),
            f"{BASE}\nTimeStampedMixin = object\n",
        ]
    ),
    "app/models.py": lambda by: by.choice(
        [
            MODELS,
            MODELS.replace("Mapped[list[Invoice]]", "Mapped[Invoice]"),
            MODELS.replace('lazy="raise"', "lazy=LAZY", by.randrange(4))
            + "\nfrom app.loading import LAZY\n",
            MODELS
            + "\nasync def f(session: AsyncSession): await session.scalars(select(Invoice))\n"
            "from sqlalchemy import select\nfrom app.db.session import AsyncSession\n",
        ]
    ),
    "app/db/session.py": lambda by: (
        "from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine\n"
        "from sqlalchemy.orm import Session as Blocking\n"
        f"class Session({by.choice(['AsyncSession', 'Blocking', 'object'])}): ...\n"
    ),
    "app/loading.py": lambda by: (
        f"from sqlalchemy.orm import {by.choice(['joinedload', 'selectinload'])} as load\n"
        f"LAZY = {by.choice(['raise', 'select'])!r}\n"
    ),
    "app/services/accounts.py": lambda by: SERVICE.format(
        models=by.choice(["models", "moved"]),
        name=by.choice(["account", "payer", "tags", "unknown"]),
    ),
    "app/handler.py": lambda by: (
        SERVICE.format(models="models", name="account")
        + by.choice(["", "# policy: allow query-outside-services -- old\n"])
    ),
    "app/migrations/versions/one.py": _revision,
    "app/migrations/versions/two.py": _revision,
    "work.ipynb": _notebook,
}
SETTINGS = [
    "",
    'mixin = ""',
    'ignore = ["lazy-raise"]',
    'services = ["app/handler.py"]',
    'exclude = ["app/base.py"]',
    'models = ["app/nowhere.py"]',
    'header = ["Locks"]',
]


def begin(root: Path) -> None:
    """Write the project."""
    for name, text in TEXTS.items():
        write(root, {name: text(_First())})  # type: ignore[arg-type]


class _First:
    """The first of each choice."""

    choice = staticmethod(lambda options: options[0])
    randrange = staticmethod(lambda _: 0)
    sample = staticmethod(lambda options, count: options[:count])


def modify(root: Path, by: Random) -> None:
    """Write a file anew, or another one than before."""
    name = by.choice(sorted(TEXTS))
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(TEXTS[name](by).lstrip("\n"))


def keep_its_time(root: Path, by: Random) -> None:
    """Modify a file that says it was not."""
    files = sorted(root.rglob("*.py"))
    before = {file: file.stat() for file in files if file.exists()}
    modify(root, by)
    for file, status in before.items():
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def move_lines(root: Path, by: Random) -> None:
    """Add lines above."""
    file = by.choice([each for each in sorted(root.rglob("*.py")) if each.exists()])
    file.write_text("\n" * by.randrange(3) + file.read_text())


def delete(root: Path, by: Random) -> None:
    """Delete a file."""
    (root / by.choice(sorted(TEXTS))).unlink(missing_ok=True)


def rename(root: Path, by: Random) -> None:
    """Rename a file, or give it its name back."""
    models, moved = root / "app/models.py", root / "app/moved.py"
    pairs = [(models, moved), (moved, models), (root / "app/__init__.py", root / "app/was.py")]
    pairs += [(new, old) for old, new in pairs]
    for old, new in pairs if by.random() < 0.5 else pairs[::-1]:
        if old.exists():
            old.rename(new)
            return


def configure(root: Path, by: Random) -> None:
    """Change the settings."""
    lines = by.sample(SETTINGS, by.randrange(3))
    (root / "pyproject.toml").write_text("\n".join(["[tool.invoicing.policy]", *lines, ""]))


def link(root: Path, by: Random) -> None:
    """Put a link where a file was, to another or to nothing."""
    name = by.choice(["app/linked.py", "app/services/accounts.py", "app/models.py"])
    (root / name).unlink(missing_ok=True)
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(root / by.choice(["app/handler.py", "nothing.py", "app/loading.py"]))


def run_migrations_here(root: Path, by: Random) -> None:
    """Let an env.py come or go, that nothing is asked about."""
    env = root / by.choice(
        ["app/env.py", "app/migrations/env.py", "app/migrations/versions/env.py"]
    )
    if env.exists():
        env.unlink()
    else:
        env.parent.mkdir(parents=True, exist_ok=True)
        env.write_text("")


def nothing(_root: Path, _by: Random) -> None:
    """Check once more."""


EDITS = [
    modify, modify, modify, modify, keep_its_time, keep_its_time, move_lines, delete, rename,
    configure, link, run_migrations_here, nothing,
]  # fmt: skip
