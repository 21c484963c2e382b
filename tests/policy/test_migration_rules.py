"""Every rule finds its bad examples and none of its good ones, and nothing in this project."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from invoicing.policy.migrations import (
    RULES,
    MigrationSettings,
    Revision,
    Rule,
)

ROOT = Path(__file__).parents[2]
CASES = [
    pytest.param(rule, source, expected, id=f"{rule.slug}-{label}")
    for rule in RULES
    if rule.check is not None
    for examples, expected in ((rule.bad, True), (rule.good, False))
    for label, source in examples.items()
]


def revision(source: str, path: str = "a.py", **settings: object) -> Revision:
    return Revision(path, source, ast.parse(source), replace(MigrationSettings(), **settings))


def breaks(rule: Rule, source: str) -> bool:
    found = list(rule.check(revision(source)))
    assert {one.rule for one in found} <= {rule.slug}
    return bool(found)


@pytest.mark.parametrize(("rule", "source", "expected"), CASES)
def test_an_example_breaks_or_keeps_its_rule(rule: Rule, source: str, expected: bool) -> None:
    assert breaks(rule, source) is expected
