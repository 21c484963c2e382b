"""Which lines a comment allows a rule to be broken on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.project import report_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "from app.base import Base, Mapped, TimeStampedMixin, relationship\n"
PLAIN = 'class A(Base):\n    __tablename__ = "a"\n'
CLASS = 'class A(TimeStampedMixin, Base):\n    __tablename__ = "a"\n'
STAMPS, LAZY = "# policy: allow base-and-timestamps -- x\n", "# policy: allow lazy-raise -- y\n"
WRAPPED = '    b: Mapped["A"] = ({}\n        relationship("A")\n    ){}\n'
ALLOWED = {
    "above other comments": f"{STAMPS}# and more of why\n{PLAIN}",
    "above another's": f"{CLASS}    {LAZY}    # policy: allow mapped-annotation -- z\n"
    '    b = relationship("A")\n',
    "above a decorator": f"{STAMPS}@decorated\n@again(\n    1\n)\n{PLAIN}",
    "where a statement begins": CLASS + WRAPPED.format(f"  {LAZY[:-1]}", ""),
    "where a statement ends": CLASS + WRAPPED.format("", f"  {LAZY[:-1]}"),
    "above a statement": CLASS + "    " + LAZY + WRAPPED.format("", ""),
    "after a form feed": "x = '\x0c'\n" + STAMPS + PLAIN,
    "a rule that did not run": "x = 1  # policy: allow safe-migration -- its table is small\n",
}
NOT = {
    "above a blank line": f"{STAMPS}\n{PLAIN}",
    "within a statement": CLASS + WRAPPED.format("", "").replace("(\n", f"(\n        {LAZY}\n"),
    "in the body": PLAIN + "    " + STAMPS + "    x = 1\n",
    "above the statement before": STAMPS + "x = 1\n" + PLAIN,
    "at the end of the statement before": f"x = 1  {STAMPS}{PLAIN}",
}


@pytest.mark.parametrize("name", ALLOWED)
def test_a_comment_is_about_the_statement_beside_or_below_it(name: str, tmp_path: Path) -> None:
    report = report_of(tmp_path, {"app/models.py": HEAD + ALLOWED[name]})
    assert [str(finding) for finding in report.findings] == []


@pytest.mark.parametrize("name", NOT)
def test_a_comment_is_about_no_other(name: str, tmp_path: Path) -> None:
    findings = report_of(tmp_path, {"app/models.py": HEAD + NOT[name]}).findings
    rule = "lazy-raise" if "lazy" in NOT[name] else "base-and-timestamps"
    assert {finding.rule for finding in findings} == {rule, "unused-suppression"}
