"""Write whole revision files around the few lines an example is about."""

from __future__ import annotations

from textwrap import dedent, indent

HEADER = """\
add something

Revision ID: 2a
Revises: 1a
Create Date: 2026-11-23 12:00:00+00:00
"""


def migration(upgrade: str, downgrade: str, header: str = HEADER, before: str = "") -> str:
    """Write a revision file."""
    return (
        f'"""{header}"""\n\n'
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        'revision = "2a"\ndown_revision = "1a"\n\n'
        f"{dedent(before)}\n"
        f"def upgrade():\n{body(upgrade)}\n\n"
        f"def downgrade():\n{body(downgrade)}\n"
    )


def body(lines: str) -> str:
    """Indent the lines of a function."""
    return indent(dedent(lines).strip("\n"), "    ")
