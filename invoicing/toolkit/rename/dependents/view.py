"""Views and materialized views that show the column."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

_SHOWN = """
SELECT v.oid::regclass::text, 'pg_rewrite', r.oid
FROM hanging AS h JOIN pg_catalog.pg_rewrite AS r ON r.oid = h.objid
JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class
WHERE h.classid = 'pg_rewrite'::regclass AND r.rulename = '_RETURN' AND v.relkind = '{kind}'
"""
_LATER = "the contract is refused until it does not name {old}. After the backfill "
_FOLLOWS = Reaction("carried", "follows the table, and goes on to show {old}")
_STAYS = Reaction("carried", "goes on to show {old}, which the contract itself renames to {new}")
KINDS = (
    Kind(
        "view",
        Reaction(
            "later", _LATER + "run: CREATE OR REPLACE VIEW {subject} AS ... {new} AS {old} ..."
        ),
        _FOLLOWS,
        _SHOWN.replace("{kind}", "v"),
        in_place=_STAYS,
    ),
    Kind(
        "materialized-view",
        Reaction("later", _LATER + "drop it, and create it again over {new}"),
        _FOLLOWS,
        _SHOWN.replace("{kind}", "m"),
        in_place=_STAYS,
    ),
)
