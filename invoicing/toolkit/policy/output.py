"""A report as text, JSON, GitHub's workflow commands, or SARIF 2.1.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from invoicing.toolkit.code_review import SARIF_SCHEMA, github_property, github_text
from invoicing.toolkit.policy.finding import file_of
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from invoicing.toolkit.policy.finding import PolicyFinding, Problem
    from invoicing.toolkit.policy.rule import Rule
    from invoicing.toolkit.policy.runner import Report


def as_text(report: Report, _rules: Mapping[str, Rule[Any]]) -> str:
    """Return a line for each finding and problem, and a count."""
    lines = [visible(str(finding)) for finding in (*report.findings, *report.problems)]
    unread = len({file_of(problem.path) for problem in report.problems})
    checked = report.files - unread
    files = f"{checked:,} file{'' if checked == 1 else 's'}"
    count = len(report.findings)
    summary = (
        f"{count:,} finding{'' if count == 1 else 's'} in {files}" if count else f"{files} clean"
    )
    if not report.has_run:
        summary = "nothing was checked"
    if report.problems:
        summary += f", {unread:,} not checked"
    summary = "; ".join([summary, *map(str, report.not_run)])
    return "\n".join([*lines, summary])


def as_json(report: Report, rules: Mapping[str, Rule[Any]]) -> str:
    """Return one object with findings, problems and counts."""
    return json.dumps(
        {
            "findings": [_plain(finding, rules) for finding in report.findings],
            "problems": [
                {"path": problem.path, "line": problem.line, "message": problem.message}
                for problem in report.problems
            ],
            "files": report.files,
            "lines": report.lines,
            "not_run": [each._asdict() for each in report.not_run],
        },
        indent=2,
    )


def _plain(finding: PolicyFinding, rules: Mapping[str, Rule[Any]]) -> dict[str, Any]:
    return {
        "path": finding.path,
        "line": finding.line,
        "column": finding.column,
        "rule": finding.rule,
        "message": finding.message,
        "mend": finding.fix,
        "fixable": finding.is_fixable,
        "not_fixed": finding.left or None,
        "fix": rules[finding.rule].applicability if finding.is_fixable else None,
    }


def as_github(report: Report, rules: Mapping[str, Rule[Any]]) -> str:
    """Return workflow commands, which show each finding at its line of a pull request."""
    lines = [
        f"::error file={github_property(finding.path)},line={finding.line},col={finding.column},"
        f"title={finding.rule}::{github_text(finding.said)}"
        for finding in report.findings
    ]
    lines += [
        f"::error file={github_property(problem.path)},line={problem.line}"
        f"::{github_text(problem.message)}"
        for problem in report.problems
    ]
    return "\n".join([*lines, as_text(report, rules).rpartition("\n")[2]])


def as_sarif(report: Report, rules: Mapping[str, Rule[Any]]) -> str:
    """Return SARIF 2.1.0, as code scanners exchange it."""
    return json.dumps(
        {
            "$schema": SARIF_SCHEMA,
            "version": "2.1.0",
            "runs": [
                {
                    "columnKind": "unicodeCodePoints",
                    "invocations": [
                        {
                            "executionSuccessful": report.has_run and not report.problems,
                            "toolExecutionNotifications": [
                                *map(_notification, report.problems),
                                *(
                                    {"level": "warning", "message": {"text": str(each)}}
                                    for each in report.not_run
                                ),
                            ],
                        }
                    ],
                    "tool": {
                        "driver": {
                            "name": "invoicing policy",
                            "rules": [
                                {
                                    "id": rule.slug,
                                    "shortDescription": {"text": rule.summary},
                                    "fullDescription": {"text": rule.why},
                                }
                                for rule in rules.values()
                            ],
                        }
                    },
                    "results": [_result(finding) for finding in report.findings],
                }
            ],
        },
        indent=2,
    )


def _location(path: str, line: int, column: int | None = None) -> dict[str, Any]:
    """Return a place; the cell of a notebook is named beside it."""
    file = file_of(path)
    region = {"startLine": line} | ({"startColumn": column} if column is not None else {})
    # The bytes of a name, whatever encoding they are in.
    uri = quote(file.encode(errors="surrogateescape"))
    place = {"artifactLocation": {"uri": uri}, "region": region}
    named = {"logicalLocations": [{"fullyQualifiedName": path}]} if file != path else {}
    return {"physicalLocation": place, **named}


def _notification(problem: Problem) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"not checked: {problem.message}"},
        "locations": [_location(problem.path, problem.line)],
    }


def _result(finding: PolicyFinding) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "level": "error",
        "message": {"text": finding.said},
        "locations": [_location(finding.path, finding.line, finding.column)],
    }


FORMATS: dict[str, Callable[[Report, Mapping[str, Rule[Any]]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
