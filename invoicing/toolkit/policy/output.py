"""A report as text, JSON, GitHub's workflow commands, or SARIF 2.1.0."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from invoicing.toolkit.policy.model import Finding, Rule
    from invoicing.toolkit.policy.runner import Report


def as_text(report: Report, _rules: Mapping[str, Rule]) -> str:
    """Return a line for each finding and problem, and a count."""
    lines = [visible(str(one)) for one in (*report.findings, *report.problems)]
    files = f"{report.files:,} file{'' if report.files == 1 else 's'}"
    found = len(report.findings)
    said = f"{found:,} finding{'' if found == 1 else 's'} in {files}" if found else f"{files} clean"
    if report.problems:
        said += f", {len(report.problems):,} not checked"
    return "\n".join([*lines, said])


def as_json(report: Report, rules: Mapping[str, Rule]) -> str:
    """Return one object with findings, problems and counts."""
    return json.dumps(
        {
            "findings": [_plain(one, rules) for one in report.findings],
            "problems": [
                {"path": one.path, "line": one.line, "message": one.message}
                for one in report.problems
            ],
            "files": report.files,
            "lines": report.lines,
        },
        indent=2,
    )


def _plain(one: Finding, rules: Mapping[str, Rule]) -> dict[str, Any]:
    return {
        "path": one.path,
        "line": one.line,
        "column": one.column,
        "rule": one.rule,
        "message": one.message,
        "mend": one.mend,
        "fixable": one.is_fixable,
        "fix": rules[one.rule].fix if one.is_fixable else None,
    }


def as_github(report: Report, rules: Mapping[str, Rule]) -> str:
    """Return workflow commands, which show each finding at its line of a pull request."""
    lines = [
        f"::error file={_escaped(one.path)},line={one.line},col={one.column},"
        f"title={one.rule}::{_escaped(f'{one.message}; {one.mend}')}"
        for one in report.findings
    ]
    lines += [
        f"::error file={_escaped(one.path)},line={one.line}::{_escaped(one.message)}"
        for one in report.problems
    ]
    return "\n".join([*lines, as_text(report, rules).rpartition("\n")[2]])


def _escaped(text: str) -> str:
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text


def as_sarif(report: Report, rules: Mapping[str, Rule]) -> str:
    """Return SARIF 2.1.0, as code scanners exchange it."""
    return json.dumps(
        {
            "version": "2.1.0",
            "runs": [
                {
                    "tool": {
                        "driver": {
                            "name": "invoicing policy",
                            "rules": [
                                {
                                    "id": one.slug,
                                    "shortDescription": {"text": one.summary},
                                    "fullDescription": {"text": one.why},
                                }
                                for one in rules.values()
                            ],
                        }
                    },
                    "results": [_result(one) for one in report.findings],
                }
            ],
        },
        indent=2,
    )


def _result(one: Finding) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": one.path.partition("[")[0]},
        "region": {"startLine": one.line, "startColumn": one.column},
    }
    return {
        "ruleId": one.rule,
        "level": "error",
        "message": {"text": f"{one.message}; {one.mend}"},
        "locations": [{"physicalLocation": location}],
    }


FORMATS: dict[str, Callable[[Report, Mapping[str, Rule]], str]] = {
    "text": as_text,
    "json": as_json,
    "github": as_github,
    "sarif": as_sarif,
}
