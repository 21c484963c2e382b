"""What a load did or would do, to be looked at: first rows, sums by month, what was assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.load.kinds import INVOICES, KINDS
from invoicing.load.staging import NO_LIMIT
from invoicing.money import format_money
from invoicing.schemas.load import MonthSum
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from invoicing.load.inputs import Inputs
    from invoicing.load.staging import Staging

_FIRST_ROWS = 3
_LEFT_NAMED = 3
# Once it was written, all that the tables hold of the invoices that it was about; before, what
# was staged.
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

_WRITTEN = {
    "invoices": "invoice",
    "lines": "invoice_line",
    "of_invoices": "JOIN load_touched AS touched ON touched.id = invoice.id",
    "of_lines": "JOIN load_touched AS touched ON touched.id = line.invoice_id",
}
_STAGED = {"invoices": "load_invoices", "lines": "load_lines", "of_invoices": "", "of_lines": ""}
# Those that were rejected are in the files, although they were not written.
_LEFT_LINES = """
    SELECT invoice.currency, count(*) AS lines, sum(line.total_cents) AS cents,
        count(DISTINCT line.invoice_id) AS invoices,
        (array_agg(line.id ORDER BY line.id))[:{most}] AS ids
    FROM {lines} AS line
    JOIN load_touched AS touched ON touched.id = line.invoice_id
    JOIN {invoices} AS invoice ON invoice.id = line.invoice_id
    WHERE NOT EXISTS (SELECT FROM load_lines AS loaded WHERE loaded.id = line.id)
    AND NOT EXISTS (SELECT FROM load_problem AS bad WHERE bad.kind = 'lines' AND bad.id = line.id)
    GROUP BY invoice.currency ORDER BY invoice.currency
"""


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
        self._kinds = {input_.kind.name for input_ in inputs.files}

    async def sums(self) -> list[MonthSum]:
        """Return what the invoices of this load add up to, by currency and month.

        Once it was written, in the database: with lines that other loads have brought.
        """
        if self._written:
            await self._note_touched()
            query = _SUMS.format(month=_MONTH, **_WRITTEN)
        elif {"invoices", "lines"} <= self._kinds:
            dated = any("issued_at" in each.check.columns for each in self._inputs.of(INVOICES))
            month = _MONTH if dated else "NULL::date AS month"
            query = _SUMS.format(month=month, **_STAGED)
        else:
            return []
        rows = await self._staging.connection.fetch(query, timeout=NO_LIMIT)
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

    async def _note_touched(self) -> None:
        """Keep the ids of the invoices that the load is about."""
        ids = ["SELECT id FROM load_invoices"]
        if "lines" in self._kinds:
            ids.append("SELECT invoice_id FROM load_lines")
        await self._staging.execute(
            f"CREATE TEMP TABLE load_touched ON COMMIT DROP AS {' UNION '.join(ids)}"
        )
        await self._staging.execute("ANALYZE pg_temp.load_touched")

    async def left_lines(self, sums: list[MonthSum]) -> str | None:
        """Return what to say of lines that the database has of these invoices, and no file.

        Args:
            sums: those that the tables hold.
        """
        if not self._written or "lines" not in self._kinds:
            return None
        loaded = await self._staging.value("SELECT count(*) FROM load_lines")
        if sum(row.lines for row in sums) == loaded:
            return None
        touched = "SELECT id FROM load_touched"
        known = self._staging.known
        names = ["id", "invoice_id", "total_cents"]
        query = _LEFT_LINES.format(
            lines=await known("invoice_line", names, touched, key="invoice_id"),
            invoices=await known("invoice", ["id", "currency"], touched),
            most=_LEFT_NAMED,
        )
        rows = await self._staging.connection.fetch(query, timeout=NO_LIMIT)
        return _left_lines_note(rows) if rows else None

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
                    if not self._inputs.of(INVOICES):
                        currency = ", known.currency"
                else:
                    joined = ""
                found = await self._staging.connection.fetch(
                    f"SELECT {names}{currency} FROM {kind.staging} AS staged{joined}"
                    f" ORDER BY staged.line LIMIT {_FIRST_ROWS}",
                    timeout=NO_LIMIT,
                )
                rows[kind.name] = [dict(row) for row in found]
        return rows


def _left_lines_note(rows: Sequence[Record]) -> str:
    lines = sum(row["lines"] for row in rows)
    sums = ", ".join(format_money(int(row["cents"]), row["currency"]) for row in rows)
    ids = [str(id_) for row in rows for id_ in row["ids"]]
    quoted = ", ".join(f"'{id_}'" for id_ in ids[:_LEFT_NAMED])
    some = f"; the first {_LEFT_NAMED} of them" if lines > _LEFT_NAMED else ""
    return (
        f"Of these invoices the database has {plural(lines, 'line')} that the files do not have: "
        f"{sums}, of {plural(sum(row['invoices'] for row in rows), 'invoice')}. A load deletes "
        "nothing, and dashboards count them. If they are gone for good, delete them"
        f'{some}: invoicing db psql -c "DELETE FROM invoice_line WHERE id IN ({quoted})"'
    )


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
    for input_ in inputs.of(INVOICES):
        has = input_.check.columns
        if "status" not in has:
            notes.append(f"{input_.source.path}: no status is given; new invoices are drafts")
        if "created_at" not in has:
            notes.append(
                f"{input_.source.path}: no created_at is given; new invoices have the time of "
                "loading, by which dashboards order them"
            )
    return notes
