"""What is said of the strategy with a view."""

from __future__ import annotations

from invoicing.toolkit.rename.strategy import Wording

_NOTHING = "{table} is a view in this rename: no row is written."
WORDING = Wording(
    label="a view in the table's place",
    expand="replace {table} by a view that has both names",
    done={
        "expand": "{table} is now a view that has both {old} and {new}",
        "contract": "{table} is a table again, with {new} only",
        "restore": "{old} can be used again: {table} is a view that has both names",
        "rollback": "{table} is a table again, with {old} only",
    },
    consequences={
        "expand": "It replaces {table} ({size}) by a view that has both names",
        "backfill": _NOTHING,
        "verify": _NOTHING,
    },
    rollback="the view that has both names; {table} is a table again",
    no_loss="No row has been rewritten, so none is lost.",
    confirm="it takes away the old name of a column of about {rows} rows",
)
