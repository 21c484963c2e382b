"""A part of `n-plus-one`: an INSERT, UPDATE or DELETE that the program sends for each row.

Judged within one unit of work: a line that writes again and again what one statement, or one
executemany, writes at once. Units of work of their own, as of a queue's jobs, are meant to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.changes import tables_written
from invoicing.toolkit.profiling.findings.evidence import (
    is_repeated_line,
    repetition,
)
from invoicing.toolkit.profiling.findings.parameter_roles import ParameterRole, parameter_roles
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.statement import Statement

_BULK = {
    "INSERT": "one execute(insert(...), [...]) of all the rows (upserts too), or add_all()",
    "UPDATE": "one execute(update(...), [...]) of keys and values, or UPDATE ... FROM (VALUES ...)",
    "DELETE": "one delete(...).where(... .in_(...)) of all the keys",
}


def looped_writes(evidence: Evidence) -> Iterator[Finding]:
    """Find writes that were sent for one row after the other."""
    for group in evidence.groups(
        _is_write,
        lambda statement: (
            statement.transaction,
            statement.caller,
            statement.waits,
            statement.fingerprint,
        ),
    ):
        rows = len({statement.parameters_key for statement in group})
        if rows >= evidence.thresholds.repeats and is_repeated_line(group) and _by_row(group):
            yield _finding(evidence, group, rows)


def _is_write(statement: Statement) -> bool:
    return (
        statement.operation in _BULK
        and statement.cause is Cause.STATEMENT
        and statement.error is None
        and statement.executions == 1
        and bool(statement.parameter_keys)
        and not _answers(statement)
    )


def _answers(statement: Statement) -> bool:
    """Return whether the program asks what became of each row: a claim, a counter.

    A plain INSERT is asked for its key at the most, which the bulk form returns as well.
    """
    shape = statement.text.upper()
    plain = statement.operation == "INSERT" and "ON CONFLICT" not in shape
    return statement.returning is not False and "RETURNING" in shape and not plain


def _by_row(group: list[Statement]) -> bool:
    """Return whether each wrote the row of its own key; what cuts a part off is a batch."""
    first = group[0]
    if any((statement.affected or 0) > 1 for statement in group):
        return False
    if first.operation == "INSERT":
        return True
    roles = parameter_roles(first.text)
    if len(roles) != len(first.parameter_keys):
        return False
    return any(
        len({statement.parameter_keys[place] for statement in group}) > 1
        for place, role in enumerate(roles)
        if role & {ParameterRole.EQUAL, ParameterRole.LIST}
        and not any(len(statement.parameter_keys) <= place for statement in group)
    )


def _finding(evidence: Evidence, group: list[Statement], rows: int) -> Finding:
    tables = " and ".join(sorted(tables_written(group[0].text))) or "a table"
    operation = group[0].operation
    message = f"{operation} of {tables} was sent {len(group)} times, for {rows} rows"
    fixes = evidence.bulk_form_of(group)
    fix = f"one {fixes[0]}" if fixes else _BULK[operation]
    return repetition(message, fix, None, group, "n-plus-one", fixes)
