"""contract: invoice has amount_cents only; amt is dropped

Revision ID: c5e2907fa316
Revises: 8d41c7e05b2a
Create Date: 2026-11-23 14:40:00.227461+00:00

Phase: contract
DESTRUCTIVE: amt is dropped with its values, and code that names it fails from then on. The
    downgrade adds the column again and fills it from amount_cents in batches, as the expand does.
    Its script (--sql) adds it empty; then run: invoicing rename restore invoice amt amount_cents
Not restored: functions, triggers and sequences of the rename. What comes back is the column, and
    the downgrade of the expand takes all of it away.
Locks: ACCESS EXCLUSIVE on invoice for milliseconds, once; it waits at most lock_timeout (2 s) a
    try, and the first tries far less.
Deploy sequence:
    1. The expand (8d41c7e05b2a) has run to its end.
    2. The code commit that maps amount_cents (`Invoice.amount_cents` in the models, and everything
       that named amt) is deployed everywhere, and no old code runs any more: no old pod, no job, no
       report, no console.
    3. Run this migration, with the name of what is dropped:
       alembic -x confirm=invoice.amt upgrade head
       It is refused without that, while rows differ, while anything still depends on amt, and while
       old code still writes it: the triggers' counter has to stand still for 60 s (-x quiet=60),
       and no statement that pg_stat_statements knows may name the column meanwhile. An empty table
       needs no confirmation and no wait: there is nothing to lose.
Old code keeps working because: it does not. That is why nothing of it may run any more. New code
    notices nothing: its statements name their columns, so that their cached plans stay valid.
If interrupted: amt is there as before, or is gone; run it again. It is one transaction.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "c5e2907fa316"
down_revision: str | None = "8d41c7e05b2a"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.contract_rename("invoice", "amt", "amount_cents", sa.BigInteger())


def downgrade() -> None:
    op.restore_rename("invoice", "amt", "amount_cents", sa.BigInteger())
