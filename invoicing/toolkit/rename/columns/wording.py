"""What is said of the strategy with a second column: of a rename, and of a change of the type."""

from __future__ import annotations

from invoicing.toolkit.rename.strategy import Wording

WORDING = Wording(
    label="a second column",
    expand="add {new}, with triggers that keep it equal to {old}",
    done={
        "expand": "{new} was added; triggers keep it equal to {old}",
        "contract": "{old} was dropped; {new} has every value",
        "in place": "{old} itself was renamed to {new}; the second column was dropped",
        "restore": "{old} has every value again, and triggers keep both equal",
        "rollback": "{new} was dropped; {old} has every value",
    },
    consequences={
        "expand": "It adds {new} to {table} ({size}) and triggers that keep it equal to {old}",
        "backfill": (
            "It writes {new} in about {left} rows, about {time} of work, in batches of at most "
            "{batch_size} rows. Locks: the rows of one batch at a time, none on the whole table."
        ),
        "verify": (
            "It compares every row ({rows}), and builds on {new} the indexes and constraints of "
            "{old}. Readers and writers go on; the locks that they wait for last milliseconds."
        ),
    },
    rollback="the column {table}.{new} with its indexes, constraints and triggers",
    no_loss="",
    confirm="it drops a column of {rows} rows for ever",
)
TYPE_WORDING = Wording(
    label="a second column",
    expand="add a column of the new type, with triggers that keep it as {old} is",
    done={
        "expand": "A column of the new type was added; triggers keep it as {old} is",
        "contract": "{old} has the new type; every value was converted",
        "rollback": "The column of the new type was dropped; {old} is as it was",
    },
    consequences={
        "expand": (
            "It adds a column of the new type to {table} ({size}), with triggers that keep it as "
            "{old} is"
        ),
        "backfill": WORDING.consequences["backfill"].replace("{new}", "the column of the new type"),
        "verify": WORDING.consequences["verify"].replace("{new}", "the column of the new type"),
    },
    rollback="the column of the new type with its indexes, constraints and triggers",
    no_loss="",
    confirm="it drops the column with the old type, of {rows} rows, for ever",
)
