"""What a load did or would do, to be looked at: first rows, sums by month, what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.load.kinds import KINDS
from invoicing.schemas.load import MonthSum

if TYPE_CHECKING:
    from invoicing.load.inputs import Inputs
    from invoicing.load.staging import Staging

_FIRST_ROWS = 3
# Staged rows say which; what they hold is read from the tables once it was written there.
_SUMS = """
    SELECT currency, month, sum(invoices)::bigint AS invoices, sum(cents)::numeric AS amount_cents,
        sum(lines)::bigint AS lines, sum(line_cents) AS lines_cents
    FROM (
        SELECT invoice.currency, {month}, 1 AS invoices, invoice.amount_cents AS cents,
            0 AS lines, NULL::bigint AS line_cents
        FROM {invoices} AS invoice {of_invoices}
        UNION ALL
        SELECT invoice.currency, {month}, 0, 0, 1, line.total_cents
        FROM {lines} AS line {of_lines} JOIN {invoices} AS invoice ON invoice.id = line.invoice_id
    ) AS summed
    GROUP BY currency, month ORDER BY currency, month
"""
_MONTH = "date_trunc('month', invoice.issued_at AT TIME ZONE 'UTC')::date AS month"

# What the sums are read from, once it is written and before.
_WRITTEN = {
    "invoices": "invoice",
    "lines": "invoice_line",
    "of_invoices": "JOIN load_invoices AS loaded ON loaded.id = invoice.id",
    "of_lines": "JOIN load_lines AS loaded ON loaded.id = line.id",
}
_STAGED = {"invoices": "load_invoices", "lines": "load_lines", "of_invoices": "", "of_lines": ""}


class Preview:
    """Looks at a load in its transaction.

    Args:
        staging: its connection.
        inputs: what is loaded.
        written: whether the rows are in their tables; if not, the staged ones are looked at.
    """

    def __init__(self, staging: Staging, inputs: Inputs, *, written: bool) -> None:
        self._staging = staging
        self._inputs = inputs
        self._written = written

    async def sums(self) -> list[MonthSum]:
        """Return what the invoices and lines of this load add up to, by currency and month."""
        kinds = {input_.kind.name for input_ in self._inputs.files}
        dated = any(
            input_.kind.name == "invoices" and "issued_at" in input_.check.columns
            for input_ in self._inputs.files
        )
        if self._written:
            query = _SUMS.format(month=_MONTH, **_WRITTEN)
        elif {"invoices", "lines"} <= kinds:
            month = _MONTH if dated else "NULL::date AS month"
            query = _SUMS.format(month=month, **_STAGED)
        else:
            return []
        rows = await self._staging.connection.fetch(query, timeout=1e9)
        return [
            MonthSum(
                **{
                    **row,
                    "amount_cents": int(row["amount_cents"]),
                    "lines_cents": None if row["lines_cents"] is None else int(row["lines_cents"]),
                }
            )
            for row in rows
        ]

    async def first_rows(self) -> dict[str, list[dict[str, Any]]]:
        """Return the first rows of each kind, as they would be stored."""
        rows = {}
        for kind in KINDS:
            for input_ in self._inputs.of(kind)[:1]:
                stored = [column.name for column in kind.columns]
                names = ", ".join(
                    f"staged.{name}"
                    for name in stored
                    if name in {*input_.check.columns, "amount_cents", "total_cents"}
                )
                currency = ""
                if kind.name == "lines":
                    known = await self._staging.known(
                        "invoice", ["id", "currency"], "SELECT invoice_id FROM load_lines"
                    )
                    currency = ", coalesce(loaded.currency, known.currency) AS currency"
                    joined = (
                        " LEFT JOIN load_invoices AS loaded ON loaded.id = staged.invoice_id"
                        f" LEFT JOIN {known} AS known ON known.id = staged.invoice_id"
                    )
                    if not self._inputs.of(KINDS[1]):
                        currency = ", known.currency"
                else:
                    joined = ""
                found = await self._staging.connection.fetch(
                    f"SELECT {names}{currency} FROM {kind.staging} AS staged{joined}"
                    f" ORDER BY staged.line LIMIT {_FIRST_ROWS}",
                    timeout=1e9,
                )
                rows[kind.name] = [dict(row) for row in found]
        return rows


def notes_of(inputs: Inputs, *, dry_run: bool) -> list[str]:
    """Return what was assumed of the files, and which rows were left out; of a dry run, all."""
    notes = list(inputs.notes)
    seen = set()
    for input_ in inputs.files:
        if id(input_.source) in seen:
            continue
        seen.add(id(input_.source))
        path = input_.source.path
        found = getattr(input_.source, "found", "")
        if dry_run and found:
            notes.append(f"{path}: {found}")
        if input_.check.blank:
            notes.append(f"{path}: blank rows left out: {input_.check.blank:,}")
        left_out = getattr(input_.source, "left_out", 0)
        if left_out:
            notes.append(f"{path}: rows left out by skip or only: {left_out:,}")
    for input_ in inputs.of(KINDS[1]):
        has = input_.check.columns
        if "status" not in has:
            notes.append(f"{input_.source.path}: no status is given; new invoices are drafts")
        if "created_at" not in has:
            notes.append(
                f"{input_.source.path}: no created_at is given; new invoices have the time of "
                "loading, by which dashboards order them"
            )
    return notes
