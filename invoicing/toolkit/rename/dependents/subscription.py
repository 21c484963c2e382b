"""Subscriptions that write the table."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import NOTHING, Kind, Reaction

KINDS = (
    Kind(
        "subscription",
        Reaction(
            "noted",
            "writes the table by the names that its publisher has: the contract is refused until "
            "the column is renamed there",
        ),
        Reaction("refused", "writes the table by its name, and stops at a view"),
        same_name=NOTHING,
        query="""
        SELECT DISTINCT quote_ident(s.subname), 'pg_subscription', s.oid
        FROM tree JOIN pg_catalog.pg_subscription_rel AS r ON r.srrelid = tree.relid
        JOIN pg_catalog.pg_subscription AS s ON s.oid = r.srsubid
        """,
    ),
)
