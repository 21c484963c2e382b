"""What a script writes into the rename's row, besides its phase."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.columns.copies.made import CopyRecord
from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote

if TYPE_CHECKING:
    from invoicing.toolkit.rename.names import Names

_STATE = quote(STATE)


def begin(names: Names) -> str:
    """Return the statement that writes the rename's row, or begins it again after a contract."""
    values = (names.key, names.schema, names.table, names.old, names.new, ColumnsStrategy.name)
    written = ", ".join(map(literal, (*values, Phase.EXPANDING)))
    return (
        f"INSERT INTO {_STATE}.rename (key, schema_name, table_name, old_name, new_name, strategy,"
        f" phase) VALUES ({written}) ON CONFLICT (key) DO UPDATE SET phase = excluded.phase,"
        f" strategy = excluded.strategy, rows_total = 0, watch = '{{}}', definition = '{{}}'"
        f" WHERE rename.phase = {literal(Phase.CONTRACTED)}"
    )


def note_not_null(names: Names) -> str:
    """Let a verify know that NOT NULL was made here, and drop it where the old column's goes."""
    made = CopyRecord(
        "not-null", 0, "", "", names.new, "", valid=True, whole=None, definition="NOT NULL"
    )
    entry = f"{literal(json.dumps(asdict(made)))}::jsonb"
    oid = f"jsonb_build_object('table', {literal(names.relation)}::regclass::oid::bigint)"
    return (
        f"UPDATE {_STATE}.rename SET definition = definition || jsonb_build_object('copies',"
        f" jsonb_build_array({entry} || {oid})) WHERE key = {literal(names.key)}"
        " AND NOT definition ? 'copies'"
    )
