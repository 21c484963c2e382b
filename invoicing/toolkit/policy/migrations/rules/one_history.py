"""`one-history`: the revisions of a folder are one chain (`history.py` compares them)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "one-history"
STEP = 'op.add_column("invoice", sa.Column("note", sa.Text()))'
BACK = 'op.drop_column("invoice", "note")'
# Read with a first revision, 1a, beside it.
BAD = {
    "a parent that is not there": migration(STEP, BACK).replace('"1a"', '"0a"'),
    "an id that is taken": migration(STEP, BACK).replace('"2a"', '"1a"'),
    "a second beginning": migration(STEP, BACK).replace(
        'down_revision = "1a"', "down_revision = None"
    ),
    "its own parent": migration(STEP, BACK).replace('"1a"', '"2a"'),
}
GOOD = {
    "after the first": migration(STEP, BACK),
    "a branch with a name of its own": migration(
        STEP, BACK, HEADER, 'branch_labels = ("billing",)\n'
    ).replace('down_revision = "1a"', "down_revision = None"),
}

RULE: Rule[Revision] = Rule(
    SLUG,
    "revisions form one history: every parent is there, no id is taken twice, one head",
    "`alembic upgrade head` fails on the server, not in the pull request: two branches that were "
    "merged on the same day each have a revision after the same parent. Merge them by "
    "`alembic merge heads`, or put one after the other. A branch that has a label may have a head "
    "of its own.",
    BAD,
    GOOD,
)
