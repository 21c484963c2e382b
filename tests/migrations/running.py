"""Run migrations with a rename's options, which an operator would give by `-x`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.db import migrations
from invoicing.toolkit.rename import Options

if TYPE_CHECKING:
    from invoicing.db import Database

# In a test no old code is left that runs unseen.
QUICK = Options(batch_size=500, quiet=0.2)


async def upgrade(database: Database, revision: str, **given: Any) -> None:
    """Upgrade; `given` are confirm, progress and stop of the rename."""
    await migrations.upgrade(database, revision, rename={"options": QUICK} | given)


async def downgrade(database: Database, revision: str) -> None:
    """Downgrade, with little patience for old code."""
    await migrations.downgrade(database, revision, rename={"options": QUICK})
