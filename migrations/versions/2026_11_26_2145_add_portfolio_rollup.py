"""add the tables of the portfolio's roll-up, empty; `invoicing portfolio build` fills them

Revision ID: 3b9ad4f60c71
Revises: c5e2907fa316
Create Date: 2026-11-26 21:45:11.306154+00:00

Phase: expand
Locks: none that anyone can wait for: everything made here is new
Deploy sequence:
    1. Run this migration. It adds empty tables and no trigger: writing costs what it did.
    2. Deploy the code that reads the totals once they are built.
    3. Where the portfolio questions take too long: invoicing portfolio build
Old code keeps working because: accounts, invoices and lines stay as they are.
If interrupted: the transaction rolls back whole; run it again. The downgrade also drops the
    triggers of the roll-up, for which it needs ACCESS EXCLUSIVE on invoice and invoice_line for
    milliseconds; what it drops can be built again from the invoices.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "3b9ad4f60c71"
down_revision: str | None = "c5e2907fa316"
branch_labels: str | None = None
depends_on: str | None = None

STATUS = postgresql.ENUM("draft", "open", "paid", "void", name="invoice_status", create_type=False)


def upgrade() -> None:
    op.create_table(
        "invoice_rollup",
        sa.Column("is_only", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("built_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("is_only", name=op.f("ck_invoice_rollup_one_row")),
        sa.PrimaryKeyConstraint("is_only", name=op.f("pk_invoice_rollup")),
    )
    op.create_table(
        "invoice_delta",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_issued", sa.Boolean(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("sign", sa.SmallInteger(), nullable=False),
    )
    op.create_table(
        "invoice_line_delta",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.Numeric(), nullable=False),
    )
    op.create_table(
        "invoice_day_total",
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("status", STATUS, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_issued", sa.Boolean(), nullable=False),
        sa.Column("invoices", sa.BigInteger(), nullable=False),
        sa.Column("cents", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint(
            "currency", "status", "day", "is_issued", name=op.f("pk_invoice_day_total")
        ),
    )
    op.create_table(
        "invoice_account_total",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("invoices", sa.BigInteger(), nullable=False),
        sa.Column("billed_cents", sa.Numeric(), nullable=False),
        sa.Column("open_cents", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "currency", name=op.f("pk_invoice_account_total")),
    )
    op.create_index(
        "ix_invoice_account_total_largest",
        "invoice_account_total",
        ["currency", sa.text("billed_cents DESC"), "account_id"],
        postgresql_where=sa.text("invoices > 0"),
    )
    op.create_table(
        "invoice_difference",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("cents", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_difference")),
    )
    op.create_index(
        "ix_invoice_difference_largest",
        "invoice_difference",
        [sa.text("abs(cents) DESC"), "invoice_id"],
    )
    for table in ("invoice_delta", "invoice_line_delta"):
        # A fold deletes what it has read, which a publication of all tables refuses without an
        # identity; and what it leaves behind is soon to be taken away.
        op.execute(f"ALTER TABLE {table} REPLICA IDENTITY FULL")
        op.execute(
            f"ALTER TABLE {table} SET"
            " (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
        )
    # Whoever may read invoices may read their totals: a service's statement names both.
    op.execute("""
        DO $$
        DECLARE reader text;
        BEGIN
            FOR reader IN
                SELECT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END
                FROM pg_class, aclexplode(relacl)
                WHERE oid = 'invoice'::regclass AND privilege_type = 'SELECT'
            LOOP
                EXECUTE format('GRANT SELECT ON invoice_rollup, invoice_delta, invoice_line_delta,'
                    ' invoice_day_total, invoice_account_total, invoice_difference TO %s', reader);
            END LOOP;
        END
        $$
    """)


def downgrade() -> None:
    # What `invoicing portfolio build` has made, if it has.
    for table in ("invoice", "invoice_line"):
        for event in ("insert", "update", "delete", "truncate"):
            op.execute(f"DROP TRIGGER IF EXISTS {table}_rollup_{event} ON {table}")
        op.execute(f"DROP FUNCTION IF EXISTS {table}_rollup()")
    for table in (
        "invoice_difference",
        "invoice_account_total",
        "invoice_day_total",
        "invoice_line_delta",
        "invoice_delta",
        "invoice_rollup",
    ):
        op.drop_table(table)
    op.execute("DROP FUNCTION IF EXISTS invoice_rollup_guard()")
