"""expand: invoice has amount_cents beside amt, kept equal, filled and NOT NULL

Revision ID: 8d41c7e05b2a
Revises: 1f0c6a2be9d4
Create Date: 2026-11-23 14:30:00.518204+00:00

Phase: expand
Locks: ACCESS EXCLUSIVE on invoice for milliseconds, three times (the column and its triggers; NOT
    NULL, not validated; before PostgreSQL 18 once more, to settle it). Each waits at most
    lock_timeout (2 s) a try, and the first tries far less. A batch locks its own 5,000 rows for
    about a tenth of a second. Indexes and validation block no session.
Deploy sequence:
    1. Look first: invoicing rename plan invoice amt amount_cents
    2. Run this migration while old code runs: alembic upgrade 8d41c7e05b2a
       It adds amount_cents (nullable) and triggers that keep both columns equal, fills it in
       batches of 5,000 rows, each committed by itself, compares every row, and adds NOT NULL.
       Watch it from elsewhere: invoicing rename status invoice amt amount_cents
    3. Deploy the code that maps amount_cents, in one go or pod by pod. Not before this migration
       has ended: new code that computes from amount_cents (amount_cents + 1) would find NULL in
       rows that are not filled yet; the triggers refuse such a write.
    4. Once no old code runs, go on with the contract.
Old code keeps working because: amt stays, NOT NULL as before; whatever is written to either column
    is written to the other by the triggers, also by COPY, upserts and replication.
If interrupted: every batch that was committed is kept, and the table works for old and new code.
    Run it again: it goes on where it was. `alembic downgrade` drops amount_cents and the triggers.

Options: -x batch_size=5000 -x workers=1 -x pause=0 -x max_replica_lag=10 -x lock_timeout=2s
With --sql this is a script for psql that commits every batch.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "8d41c7e05b2a"
down_revision: str | None = "1f0c6a2be9d4"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.expand_rename("invoice", "amt", "amount_cents", sa.BigInteger(), batch_size=5_000)


def downgrade() -> None:
    op.rollback_rename("invoice", "amt", "amount_cents", sa.BigInteger())
