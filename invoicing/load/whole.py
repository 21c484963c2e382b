"""What only the server can work out for a mapped load, once all rows are staged.

Amounts of lines by their invoices' currency, amounts of invoices by their lines, rows that say the
same, and invoices that may not be loaded without all of their lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.load.inputs import PART
from invoicing.load.kinds import INVOICES, LINES
from invoicing.load.mapping.values import FRACTION
from invoicing.money import minor_digits
from invoicing.schemas.cells import MAX_CENTS

if TYPE_CHECKING:
    from invoicing.load.inputs import Input, Inputs
    from invoicing.load.staging import Staging

# Rounds to the even neighbour where it stands just between two: 2.5 to 2, as banks do.
_ROUNDED = {
    None: "total_major * factor",
    "half-up": "round(total_major * factor)",
    "half-even": (
        "CASE WHEN abs(total_major * factor - trunc(total_major * factor)) = 0.5"
        " THEN 2 * round(total_major * factor / 2) ELSE round(total_major * factor) END"
    ),
}
# The currency of each line's invoice: of the files, else of the database.
_CURRENCIES = """
    SELECT line, total_major, staged.currency AS said, invoice.currency, parent
    FROM (SELECT line, invoice_id AS parent, {total} AS total_major, currency FROM load_lines)
        AS staged
    LEFT JOIN (
        SELECT id, min(currency) AS currency FROM (
            SELECT id, {invoice_currency} AS currency FROM load_invoices
            UNION ALL
            SELECT id, currency FROM {known} WHERE id IN ({unstaged})
        ) AS known GROUP BY id
    ) AS invoice ON invoice.id = staged.parent
"""
_UNSTAGED = "SELECT invoice_id FROM load_lines EXCEPT SELECT id FROM load_invoices"


async def merge_repeats(staging: Staging, input_: Input) -> None:
    """Take rows that say the same of one id together; note those that differ."""
    kind, columns = input_.kind, [name for name in input_.check.columns if name != "id"]
    ours, first = (", ".join(f"{alias}.{name}" for name in columns) for alias in ("staged", "kept"))
    stands = "max" if input_.repeats == "last" else "min"
    alike = f"AND ({ours}) IS NOT DISTINCT FROM ({first})" if input_.repeats == "same" else ""
    twice = f"""
        {kind.staging} AS kept
        JOIN (SELECT id, {stands}(line) AS line FROM {kind.staging} WHERE line >= $1
              GROUP BY id HAVING count(*) > 1) AS stands USING (id, line)
    """
    input_.merged = await staging.execute(
        f"DELETE FROM {kind.staging} AS staged USING {twice}"
        f" WHERE staged.id = kept.id AND staged.line <> kept.line AND staged.line >= $1 {alike}",
        input_.part * PART,
    )
    if input_.repeats == "same":
        for name in columns:
            await _note_conflicts(staging, input_, name, twice)
    await _doubt_others(staging, input_)


async def _note_conflicts(staging: Staging, input_: Input, name: str, twice: str) -> None:
    """Note rows that differ in a column from the first row of the same id."""
    kind = input_.kind
    await staging.execute(
        f"""
        INSERT INTO load_problem (kind, line, rule, field, message, id)
        SELECT $2, staged.line, 'conflicting-rows', $3,
            format('is not what line %s says of the same {kind.singular}: correct it, or set'
                   ' repeated = "first" or "last" in [{kind.name}]', kept.line % {PART}),
            staged.id
        FROM {kind.staging} AS staged, {twice}
        WHERE staged.id = kept.id AND staged.line <> kept.line AND staged.line >= $1
        AND staged.{name} IS DISTINCT FROM kept.{name}
        """,
        input_.part * PART,
        kind.name,
        input_.check.field(name),
    )


async def _doubt_others(staging: Staging, input_: Input) -> None:
    """Note what else is said of the id of a bad row: good rows above it are doubtful too."""
    said = "was rejected on line %s"
    await staging.note_others(input_.kind, input_.check.field("id"), "rejected-row", said)


async def complete_lines(staging: Staging, inputs: Inputs) -> None:
    """Compare each line's currency with its invoice's, and work out its minor units."""
    lines = inputs.of(LINES)
    if not any("currency" in input_.check.columns for input_ in lines):
        return
    staged = "currency" if inputs.of(INVOICES) else "NULL::text"
    query = _CURRENCIES.format(
        total="total_major" if inputs.unscaled else "NULL::numeric",
        invoice_currency=staged,
        known=await staging.known("invoice", ["id", "currency"], _UNSTAGED),
        unstaged=_UNSTAGED,
    )
    name = "total_major" if inputs.unscaled else "total_cents"
    field = lines[0].check.field(name)
    await staging.execute(
        f"""
        INSERT INTO load_problem (kind, line, rule, field, message, parent)
        SELECT 'lines', line, 'currency-mismatch', $1,
            format('is in %s, and its invoice is in %s', said, currency), parent
        FROM ({query}) AS known WHERE said <> currency
        """,
        field,
    )
    if inputs.unscaled:
        await _scale(staging, inputs, query, field)


async def _scale(staging: Staging, inputs: Inputs, query: str, field: str) -> None:
    await staging.execute(
        "CREATE TEMP TABLE load_currency (currency text, factor numeric) ON COMMIT DROP"
    )
    codes = await staging.connection.fetch(
        f"SELECT DISTINCT currency FROM ({query}) AS known WHERE currency IS NOT NULL"
    )
    factors = [(row["currency"], 10 ** minor_digits(row["currency"])) for row in codes]
    await staging.connection.executemany("INSERT INTO load_currency VALUES ($1, $2)", factors)
    await staging.execute("ALTER TABLE load_lines ADD COLUMN total_cents bigint")
    scaled = f"""
        SELECT line, currency, total_major, parent, {_ROUNDED[inputs.rounding]} AS cents
        FROM ({query}) AS known JOIN load_currency USING (currency)
    """
    await staging.execute(
        f"""
        INSERT INTO load_problem (kind, line, rule, field, message, parent)
        SELECT 'lines', line, CASE WHEN cents = trunc(cents) THEN 'out-of-range'
                                   ELSE 'fractional-cents' END,
            $1, format($2, total_major, currency), parent
        FROM ({scaled}) AS scaled WHERE cents <> trunc(cents) OR abs(cents) > {MAX_CENTS}
        """,
        field,
        FRACTION,
    )
    await staging.execute(
        f"""
        UPDATE load_lines AS staged SET total_cents = scaled.cents
        FROM ({scaled}) AS scaled
        WHERE scaled.line = staged.line AND cents = trunc(cents)
        AND abs(cents) <= {MAX_CENTS}
        """
    )


async def derive_amounts(staging: Staging, inputs: Inputs) -> None:
    """Set each invoice's amount to what its lines add up to; note invoices without lines."""
    (invoices,) = inputs.of(INVOICES)
    await staging.execute("ALTER TABLE load_invoices ADD COLUMN amount_cents bigint")
    await staging.execute(
        """
        UPDATE load_invoices AS staged SET amount_cents = summed.cents
        FROM (SELECT invoice_id, sum(total_cents) AS cents FROM load_lines GROUP BY invoice_id)
            AS summed
        WHERE summed.invoice_id = staged.id
        """
    )
    await staging.execute(
        """
        INSERT INTO load_problem (kind, line, rule, field, message, id)
        SELECT 'invoices', staged.line, 'no-lines', $1,
            'has no line, and its amount is the sum of its lines', staged.id
        FROM load_invoices AS staged
        WHERE amount_cents IS NULL
        AND NOT EXISTS (SELECT FROM load_problem WHERE parent = staged.id)
        """,
        invoices.check.field("id"),
    )


async def reject_incomplete(staging: Staging, inputs: Inputs) -> None:
    """Note invoices, and the other lines of invoices, of which a line is bad."""
    bad = """
        (SELECT parent AS id, min(line) AS line FROM load_problem
         WHERE kind = 'lines' AND parent IS NOT NULL GROUP BY parent) AS bad
    """
    message = f"format('is incomplete: its line on line %s was rejected', bad.line % {PART})"
    for invoices in inputs.of(INVOICES):
        await staging.execute(
            f"""
            INSERT INTO load_problem (kind, line, rule, field, message, id)
            SELECT 'invoices', staged.line, 'rejected-line', $1, {message}, id
            FROM load_invoices AS staged JOIN {bad} USING (id)
            """,
            invoices.check.field("id"),
        )
    await staging.execute(
        f"""
        INSERT INTO load_problem (kind, line, rule, field, message, id)
        SELECT 'lines', staged.line, 'rejected-line', $1, {message}, staged.id
        FROM load_lines AS staged JOIN {bad} ON bad.id = staged.invoice_id
        WHERE NOT EXISTS (SELECT FROM load_invoices AS invoice WHERE invoice.id = bad.id)
        AND NOT EXISTS (SELECT FROM load_problem AS noted
                        WHERE noted.kind = 'lines' AND noted.line = staged.line)
        """,
        inputs.of(LINES)[0].check.field("invoice_id"),
    )


async def count_unknown(staging: Staging) -> int:
    """Return how many bad lines do not say which invoice they belong to."""
    query = "SELECT count(DISTINCT line) FROM load_problem WHERE kind = 'lines' AND parent IS NULL"
    return await staging.value(query) or 0
