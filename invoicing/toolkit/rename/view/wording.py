"""What is said of the strategy with a view."""

from __future__ import annotations

from invoicing.toolkit.rename.strategy import Wording

_NOTHING = "{table} is a view in this rename: no row is written."
WORDING = Wording(
    label="a view in the table's place",
    expand="put a view that answers to both names in the place of {table}",
    done={
        "expand": "A view in the place of {table} answers to {old} and to {new}",
        "contract": "{table} is a table again, with {new} alone",
        "rollback": "{table} is a table again, with {old} alone",
    },
    consequences={
        "expand": "It puts a view that answers to both names in place of {table} ({size})",
        "backfill": _NOTHING,
        "verify": _NOTHING,
    },
    rollback="the view that answers to both names; {table} is a table again",
    no_loss="No row has been rewritten, so none is lost.",
    confirm="it takes away the old name of a column of about {rows} rows",
)
