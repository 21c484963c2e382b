"""A recording as one HTML file and as JSON: findings first, then statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.tables import grid_of, title_of
from invoicing.visible import escape

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.running import ProgramRun
    from invoicing.toolkit.profiling.statement import Caller

# Nothing from outside: it opens offline, prints, and follows the reader's light or dark theme.
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
article { border: 1px solid #8888; border-left: 0.4rem solid #c33; border-radius: 0.3rem;
  margin: 0.8rem 0; padding: 0.6rem 1rem; break-inside: avoid; }
article h3 { font-size: 1rem; margin: 0; } article p { margin: 0.3rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 1rem; margin: 0.4rem 0; }
dt { opacity: 0.7; } dd { margin: 0; overflow-wrap: anywhere; }
.fine { border-left: 0.4rem solid #393; padding-left: 1rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.85rem; }
caption { display: none; }
th, td { border-bottom: 1px solid #8885; padding: 0.25rem 0.6rem; vertical-align: top; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } .wide { overflow: visible; } }
"""


def html_report(run: ProgramRun) -> str:
    """Return a whole page, which needs nothing from outside."""
    recorder = run.recorder
    title = f"Queries of {run.program}"
    findings = recorder.findings
    found = "\n".join(map(article, findings)) or '<p class="fine">No findings.</p>'
    ended = (
        "" if run.exit_code == 0 else f"<p>The program ended with exit code {run.exit_code}.</p>"
    )
    missing = "".join(f"<p>{escape(each)}.</p>" for each in run.not_recorded)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}</title><style>{STYLE}</style></head>
<body>
<h1>{escape(title)}</h1>
<p>{escape(title_of(recorder))}.</p>{ended}{missing}
<h2>Findings ({len(findings)})</h2>
{found}
<h2>Statements</h2>
<div class="wide">{grid_of(recorder).html()}</div>
</body></html>
"""


def article(finding: Finding) -> str:
    """Return a finding as a part of a page."""
    rows = [
        ("line", _where(finding.caller)),
        ("cost", escape(str(finding.cost))),
        ("fix", f"<strong>{escape(finding.fix)}</strong>"),
        ("statements", escape(_numbers(finding.statements))),
    ]
    listed = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return (
        f"<article><h3>{escape(finding.slug)}</h3><p>{escape(finding.said)}</p>"
        f"<dl>{listed}</dl></article>"
    )


def _where(caller: Caller | None) -> str:
    if caller is None:
        return "no line of the program's own"
    return f"{escape(str(caller))} <code>{escape(caller.source)}</code>"


def _numbers(numbers: tuple[int, ...], shown: int = 12) -> str:
    listed = ", ".join(map(str, numbers[:shown]))
    return listed if len(numbers) <= shown else f"{listed}, and {len(numbers) - shown:,} more"


def json_report(run: ProgramRun) -> dict[str, Any]:
    """Return what a program would want to know: totals and findings, no values of parameters."""
    recorder = run.recorder
    return {
        "program": run.program,
        "exit_code": run.exit_code,
        "statements": len(recorder.statements),
        "round_trips": recorder.round_trips,
        "rows": recorder.rows,
        "bytes_received": recorder.bytes_received,
        "database_seconds": recorder.database_seconds,
        "orm_seconds": recorder.orm_seconds,
        "lost": recorder.lost,
        "findings": [_finding(finding) for finding in recorder.findings],
        "not_recorded": list(run.not_recorded),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    caller = finding.caller
    return {
        "slug": finding.slug,
        "message": finding.message,
        "fix": finding.fix,
        "relationship": finding.relationship,
        "file": caller.file if caller else None,
        "line": caller.line if caller else None,
        "function": caller.function if caller else None,
        "cost": finding.cost._asdict(),
        "statements": list(finding.statements),
        "count": finding.count,
        "fixes": [
            {
                "text": str(fix),
                "file": fix.at.file if fix.at else None,
                "line": fix.at.line if fix.at else None,
            }
            for fix in finding.fixes
        ],
    }
