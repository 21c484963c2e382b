"""add account, and the function that keeps every table's updated_at

Revision ID: 65cbbed0edc7
Revises:
Create Date: 2026-11-23 12:05:20.307598+00:00

Phase: expand
Locks: none that anyone can wait for: everything made here is new
Deploy sequence:
    1. Run this migration.
    2. Deploy the code that knows accounts.
Old code keeps working because: it knows nothing of what is added.
If interrupted: the transaction rolls back whole; run it again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "65cbbed0edc7"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    # clock_timestamp() moves also between two updates of one transaction, where now() stands still.
    op.execute("""
        CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.updated_at := clock_timestamp();
            RETURN NEW;
        END
        $$
    """)
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
    )
    # An update that sets updated_at itself (the ORM's, a restored backup's) is left as it is; so is
    # one of a backfill, which changes nothing that a reader of the row would call a change.
    op.execute("""
        CREATE TRIGGER set_updated_at BEFORE UPDATE ON account FOR EACH ROW
        WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at
            AND current_setting('invoicing.backfill', true) IS DISTINCT FROM 'on')
        EXECUTE FUNCTION set_updated_at()
    """)


def downgrade() -> None:
    op.drop_table("account")
    op.execute("DROP FUNCTION set_updated_at()")
