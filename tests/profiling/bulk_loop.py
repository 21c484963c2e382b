"""Run the bulk form of a finding beside what the program sent for each value, and compare."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import Session

from tests.profiling.closed_loop import frames, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from invoicing.toolkit.profiling.findings.bulk_fix import BulkFix
    from tests.profiling.corpus.cases import Case, Place


@dataclass
class Sent:
    """What a program sent for each value at the line of a fix."""

    fix: BulkFix
    engine: Engine | None = None
    originals: list[tuple[Any, Any, dict[str, Any]]] = field(default_factory=list)


async def differences(case: Case, place: Place, fixes: list[BulkFix]) -> list[str]:
    """Return the fixes whose statement answers otherwise than the originals did."""
    sent = [Sent(fix) for fix in fixes]
    with listening(sent):
        await case.run(place)
    found = []
    for each in sent:
        assert each.engine is not None, each.fix
        if each.engine.dialect.is_async:
            async with AsyncEngine(each.engine).connect() as connection:
                message = await connection.run_sync(difference, each)
        else:
            with each.engine.connect() as plain_connection:
                message = difference(plain_connection, each)
            if each.engine.dialect.name == "postgresql":
                # The program had closed its engine, and this has opened it again.
                each.engine.dispose()
        found += [message] if message else []
    return found


@contextmanager
def listening(sent: list[Sent]) -> Iterator[None]:
    """Note the originals for as long as this lasts."""

    def note(
        connection: Connection, statement: Any, _several: object, parameters: Any, _: object
    ) -> None:
        lines = {(frame.f_code.co_filename, frame.f_lineno) for frame in frames()}
        for each in sent:
            at = each.fix.at
            alike = type(statement) is type(each.fix.statement)
            if alike and at is not None and (at.file, at.line) in lines:
                try:
                    value = each.fix.value_in(statement, parameters)
                except (AttributeError, IndexError):
                    # Another statement of that line: a loader's.
                    continue
                each.engine = connection.engine
                each.originals.append((statement, value, parameters))

    event.listen(Engine, "before_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_execute", note)


def difference(connection: Connection, sent: Sent) -> str | None:
    """Return what is different, if anything is; nothing that was written stays."""
    by_value = {value: (statement, given) for statement, value, given in sent.originals}
    if sent.fix.statement.is_dml:
        session = Session(connection)
        results = [session.execute(statement, given) for statement, given in by_value.values()]
        rows = sum(result.rowcount for result in results)
        session.rollback()
        result: Any = session.execute(sent.fix.statement, {"values": [*by_value]})
        changed = result.rowcount
        session.rollback()
        return None if changed == rows else f"{sent.fix}: {changed} rows, not {rows}"
    with Session(connection) as session:
        each = {
            value: [tuple(row) for row in session.execute(statement, given)]
            for value, (statement, given) in by_value.items()
        }
        at_once = [tuple(row) for row in session.execute(sent.fix.statement, {"values": [*each]})]
        width = len(next(iter(filter(None, each.values())))[0])
        if at_once and len(at_once[0]) == width:
            expected, found = plain([row for rows in each.values() for row in rows]), plain(at_once)
        else:
            grouped = defaultdict(list)
            for row in at_once:
                grouped[row[-1]].append(row[:-1])
            expected = plain({value: _of_rows(rows) for value, rows in each.items()})
            found = plain({value: _of_rows(grouped[value]) for value in each})
        session.rollback()
    return None if expected == found else f"{sent.fix}: {found}, not {expected}"


def _of_rows(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Leave out what an aggregate says of no row: a group without rows is not there."""
    return [row for row in rows if any(value not in {None, 0} for value in row)]
