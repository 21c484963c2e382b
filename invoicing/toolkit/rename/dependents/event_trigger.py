"""Event triggers: they run at each DDL statement of a rename."""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.kind import Kind, Reaction

_RUNS = Reaction(
    "noted",
    "runs at the DDL statements of the rename; if it raises an error, the phase ends with nothing "
    "changed",
)
KINDS = (
    Kind(
        "event-trigger",
        _RUNS,
        _RUNS,
        """
        SELECT quote_ident(e.evtname), 'pg_event_trigger', e.oid
        FROM pg_catalog.pg_event_trigger AS e WHERE e.evtenabled <> 'D'
            AND e.evtevent LIKE 'ddl_command%' AND EXISTS (SELECT FROM tree)
        """,
    ),
)
