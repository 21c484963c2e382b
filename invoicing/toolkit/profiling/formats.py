"""Findings for code review: SARIF 2.1.0, and the workflow commands of GitHub."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from invoicing.toolkit.code_review import SARIF_SCHEMA, github_property, github_text
from invoicing.toolkit.profiling.baseline import entry_of
from invoicing.toolkit.profiling.findings.fix import Fix
from invoicing.toolkit.profiling.findings.registry import KINDS
from invoicing.toolkit.profiling.findings.source_code import module_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from invoicing.toolkit.profiling.findings.finding import Finding
    from invoicing.toolkit.profiling.settings import ProfileSettings


def as_github(findings: Iterable[Finding], settings: ProfileSettings) -> str:
    """Return workflow commands, which show each finding and its fix at its line."""
    return "\n".join(_command(finding, settings) for finding in findings)


def _command(finding: Finding, settings: ProfileSettings) -> str:
    level = "error" if finding.slug in settings.fail_on else "warning"
    path, caller = entry_of(finding, settings.root).path, finding.caller
    place = f"file={github_property(path)},line={caller.line}," if caller is not None else ""
    text = github_text(f"{finding.said}. Fix: {finding.fix}")
    return f"::{level} {place}title={finding.slug}::{text}"


def as_sarif(findings: Iterable[Finding], settings: ProfileSettings) -> dict[str, Any]:
    """Return a log of one run; a fix that is an option is the text to insert, where it is clear."""
    rules = [
        {
            "id": kind.slug,
            "shortDescription": {"text": kind.title},
            "fullDescription": {"text": kind.why},
        }
        for kind in KINDS.values()
    ]
    results = [_result(finding, settings) for finding in findings]
    driver = {"name": "invoicing profile", "rules": rules}
    run = {"columnKind": "unicodeCodePoints", "tool": {"driver": driver}, "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(finding: Finding, settings: ProfileSettings) -> dict[str, Any]:
    caller = finding.caller
    result: dict[str, Any] = {
        "ruleId": finding.slug,
        "level": "error" if finding.slug in settings.fail_on else "warning",
        "message": {"text": f"{finding.said}. Fix: {finding.fix}"},
    }
    if caller is not None:
        place = _artifact(caller.file, settings.root)
        region = {"startLine": caller.line}
        result["locations"] = [{"physicalLocation": place | {"region": region}}]
    fixes = [_insertion(fix, settings.root) for fix in finding.fixes if isinstance(fix, Fix)]
    if fixes and all(fixes):
        changes = [fix for fix in fixes if fix]
        result["fixes"] = [{"description": {"text": finding.fix}, "artifactChanges": changes}]
    return result


def _artifact(file: str, root: Path) -> dict[str, Any]:
    name = file.removeprefix(f"{root.as_posix()}/")
    return {"artifactLocation": {"uri": quote(name.encode(errors="surrogateescape"))}}


def _insertion(fix: Fix, root: Path) -> dict[str, Any] | None:
    """Return the option as text after the `select(...)` that its line has, if it has just one."""
    statement = module_of(fix.at.file).statement_at(fix.at.line) if fix.at is not None else None
    if fix.at is None or statement is None or fix.remove:
        return None
    calls = [node for node in ast.walk(statement) if isinstance(node, ast.Call)]
    selects = [call for call in calls if _is_select(call.func)]
    if len(selects) != 1:
        return None
    (call,) = selects
    here = {"startLine": call.end_lineno, "startColumn": (call.end_col_offset or 0) + 1}
    end = {"endLine": here["startLine"], "endColumn": here["startColumn"]}
    replacement = {
        "deletedRegion": here | end,
        "insertedContent": {"text": f".options({fix})"},
    }
    return _artifact(fix.at.file, root) | {"replacements": [replacement]}


def _is_select(function: ast.expr) -> bool:
    return "select" in {getattr(function, "id", None), getattr(function, "attr", None)}
