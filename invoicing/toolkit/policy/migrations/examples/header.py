"""Examples of `migration-header`, for a project that asks for nothing more than Alembic writes."""

from __future__ import annotations

from invoicing.toolkit.policy.migrations.examples.writing import HEADER, migration

BAD = {
    "no docstring": migration("pass", "pass").partition("\n\n")[2].partition('"""\n')[2],
    "below the imports": "import sqlalchemy as sa\n" + migration("pass", "pass"),
    "another revision": migration("pass", "pass", HEADER.replace("2a", "2b")),
    "another parent": migration("pass", "pass", HEADER.replace("1a", "1b")),
    "no parent": migration("pass", "pass", HEADER.replace("Revises: 1a", "Revises:")),
    "no Revises": migration("pass", "pass", HEADER.replace("Revises: 1a\n", "")),
    "a date that is none": migration("pass", "pass", HEADER.replace("2026-11", "2026-13")),
    "nothing said": migration("pass", "pass", "\n" + HEADER.partition("\n\n")[2]),
}

GOOD = {
    "as Alembic writes it": migration("pass", "pass"),
    "the first revision": migration(
        "pass", "pass", HEADER.replace("Revises: 1a", "Revises:")
    ).replace('down_revision = "1a"', "down_revision = None"),
    "a merge": migration("pass", "pass", HEADER.replace("Revises: 1a", "Revises: 1a, 1b")).replace(
        'down_revision = "1a"', 'down_revision = ("1a", "1b")'
    ),
}
