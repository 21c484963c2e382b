"""add invoice

Revision ID: 1f0c6a2be9d4
Revises: 65cbbed0edc7
Create Date: 2026-11-23 12:10:02.114207+00:00

Phase: expand
Locks: SHARE ROW EXCLUSIVE on account, for the foreign key: writers wait for milliseconds, readers
    never
Deploy sequence:
    1. Run this migration.
    2. Deploy the code that knows invoices and their lines.
Old code keeps working because: accounts stay as they are.
If interrupted: the transaction rolls back whole; run it again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "1f0c6a2be9d4"
down_revision: str | None = "65cbbed0edc7"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "invoice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("amt", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column(
            "status",
            sa.Enum("draft", "open", "paid", "void", name="invoice_status"),
            server_default="draft",
            nullable=False,
        ),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
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
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_invoice_currency_iso_4217")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_invoice_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice")),
    )
    op.create_index(op.f("ix_invoice_account_id"), "invoice", ["account_id"])
    op.create_index(op.f("ix_invoice_status"), "invoice", ["status"])
    op.create_index(op.f("ix_invoice_account_id_status"), "invoice", ["account_id", "status"])
    op.create_index(
        "ix_invoice_account_id_created_at_id",
        "invoice",
        ["account_id", sa.text("created_at DESC"), sa.text("id DESC")],
    )
    op.create_table(
        "invoice_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("total_cents", sa.BigInteger(), nullable=False),
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
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_invoice_line_invoice_id_invoice"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoice_line")),
    )
    op.create_index(
        op.f("ix_invoice_line_invoice_id"),
        "invoice_line",
        ["invoice_id"],
        postgresql_include=["total_cents"],
    )
    for table in ("invoice", "invoice_line"):
        op.execute(f"""
            CREATE TRIGGER set_updated_at BEFORE UPDATE ON {table} FOR EACH ROW
            WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at
                AND current_setting('invoicing.backfill', true) IS DISTINCT FROM 'on')
            EXECUTE FUNCTION set_updated_at()
        """)


def downgrade() -> None:
    op.drop_table("invoice_line")
    op.drop_table("invoice")
    op.execute("DROP TYPE invoice_status")
