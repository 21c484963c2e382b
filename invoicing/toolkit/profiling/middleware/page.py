"""The pages of the last requests: a list, and one request with its timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.report import STYLE, article
from invoicing.toolkit.profiling.tables import grid_of, title_of
from invoicing.visible import escape

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.middleware.record import RequestRecord
    from invoicing.toolkit.profiling.statement import Statement

_BARS = """
.bar { background: #8883; height: 1rem; position: relative; min-width: 20rem; }
.bar i { background: #36c; display: block; height: 100%; min-width: 2px; position: absolute; }
.bad { color: #c33; font-weight: bold; }
td.number { text-align: right; white-space: nowrap; }
"""
# Statements that a timeline shows; a bar for each of thousands shows nothing.
SHOWN = 200


def list_page(records: list[RequestRecord], page: str) -> str:
    """Return the page of the last requests, the newest first."""
    rows = "".join(_row(record, page) for record in records)
    head = "".join(
        f"<th>{name}</th>"
        for name in ("Request", "Status", "ms", "Statements", "Database ms", "Findings")
    )
    table = f"<table><tr>{head}</tr>{rows}</table>" if rows else "<p>No requests yet.</p>"
    return _page("Queries of the last requests", f'<div class="wide">{table}</div>')


def _row(record: RequestRecord, page: str) -> str:
    recorder, findings = record.recorder, len(record.recorder.findings)
    numbers = (
        f"{record.seconds * 1000:,.1f}",
        f"{len(recorder):,}",
        f"{recorder.database_seconds * 1000:,.1f}",
    )
    cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
    name = escape(f"{record.method} {record.path}")
    shown = f'<td class="number{" bad" if findings else ""}">{findings}</td>'
    link = f'<a href="{escape(page)}/{record.number}">{name}</a>'
    return f"<tr><td>{link}</td><td>{record.status or 'none'}</td>{cells}{shown}</tr>"


def request_page(record: RequestRecord, page: str) -> str:
    """Return the page of one request: findings, timeline, statements."""
    recorder = record.recorder
    findings = recorder.findings
    found = "\n".join(map(article, findings)) or '<p class="fine">No findings.</p>'
    body = (
        f'<p><a href="{escape(page)}">All requests</a></p>'
        f"<p>{record.status or 'No answer'}, {record.seconds * 1000:,.1f} ms. "
        f"{escape(title_of(recorder))}.</p>"
        f"<h2>Findings ({len(findings)})</h2>{found}"
        f"<h2>Timeline</h2>{_timeline(recorder.statements, record.seconds)}"
        f'<h2>Statements</h2><div class="wide">{grid_of(recorder).html()}</div>'
    )
    return _page(f"{record.method} {record.path}", body)


def _timeline(statements: list[Statement], seconds: float) -> str:
    if not statements:
        return "<p>No statements.</p>"
    last = max(statement.started + statement.database_seconds for statement in statements)
    whole = max(seconds, last) or 1.0
    bars = "".join(_bar(statement, whole) for statement in statements[:SHOWN])
    more = len(statements) - SHOWN
    left = f"<p>and {more:,} more statements</p>" if more > 0 else ""
    return f'<div class="wide"><table>{bars}</table></div>{left}'


def _bar(statement: Statement, whole: float) -> str:
    left, width = (100 * part / whole for part in (statement.started, statement.database_seconds))
    shape = escape(" ".join(statement.fingerprint.split())[:120])
    return (
        f'<tr><td class="number">{statement.number}</td>'
        f'<td><div class="bar"><i style="left:{left:.2f}%;width:{width:.2f}%"></i></div></td>'
        f'<td class="number">{statement.database_seconds * 1000:,.1f} ms</td>'
        f"<td><code>{shape}</code></td></tr>"
    )


def _page(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}{_BARS}</style></head>
<body><h1>{escape(title)}</h1>{body}</body></html>
"""
