"""Each rule finds the forms that break it, and leaves alone those that only look like it."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import all_rules
from invoicing.toolkit.policy.registry import code_rules, migration_rules
from tests.policy.project import MODELS, findings_of, report_of
from tests.policy.snippets import BAD, GOOD

if TYPE_CHECKING:
    from invoicing.toolkit.policy import Rule

ROOT = Path(__file__).parents[2]


def cases(snippets: dict[str, dict[str, dict[str, str]]]) -> list[object]:
    return [
        pytest.param(rule, files, id=f"{rule}: {name}")
        for rule, forms in snippets.items()
        for name, files in forms.items()
    ]


def found(rule: str, files: dict[str, str], folder: Path, **options: list[str]) -> list[str]:
    # A suppression can only be judged beside the rule that it allows.
    beside = ["lazy-raise"] if rule == "unused-suppression" else []
    report = report_of(folder, files, select=[rule, *beside], **options)
    assert not report.problems
    return [str(finding) for finding in report.findings if finding.rule == rule]


@pytest.mark.parametrize(("rule", "files"), cases(BAD))
def test_a_form_that_breaks_a_rule_is_found(
    rule: str, files: dict[str, str], tmp_path: Path
) -> None:
    assert found(rule, files, tmp_path) != []
    # Emptied, the rule finds nothing: it is this one that finds it.
    assert found(rule, files, tmp_path, ignore=[rule]) == []


@pytest.mark.parametrize(("rule", "files"), cases(GOOD))
def test_a_form_that_only_looks_like_it_is_not(
    rule: str, files: dict[str, str], tmp_path: Path
) -> None:
    assert found(rule, files, tmp_path) == []


# What the page's examples need around them.
IMPORTS = """
import asyncio
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, joinedload, selectinload
from app.base import Base, Mapped, TimeStampedMixin, relationship
"""
RULES = (*code_rules(), all_rules()["unused-suppression"])


def program(example: str) -> dict[str, str]:
    """Return a project of what the page shows: in a model, in a function, or as it is."""
    text = example
    if "relationship(" in text:
        text = f"class Account(Base):\n{indent(text, '    ')}\n"
    elif "await " in text and "def " not in text:
        text = f"async def work(session: AsyncSession):\n{indent(text, '    ')}\n"
    imports = IMPORTS + ("from app.models import Account, Invoice\n" if "load(" in text else "")
    place = "handlers" if "handler" in text else "services"
    name = f"app/{'models' if text.startswith('class') else place}.py"
    return {"app/models.py": MODELS, name: imports + text}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_the_examples_of_the_page_are_what_they_say(rule: Rule, tmp_path: Path) -> None:
    for number, (example, expected) in enumerate(
        [(text, True) for text in rule.bad.values()]
        + [(text, False) for text in rule.good.values()]
    ):
        beside = ["lazy-raise"] if rule.slug == "unused-suppression" else []
        report = report_of(tmp_path / str(number), program(example), select=[rule.slug, *beside])
        broken = [finding for finding in report.findings if finding.rule == rule.slug]
        assert (bool(broken), report.problems) == (expected, []), example


def test_every_rule_has_both_kinds_of_snippets() -> None:
    rules = {rule.slug for rule in code_rules()} | {"unused-suppression"}
    assert set(BAD) == set(GOOD) == rules


@pytest.mark.parametrize(
    ("part", "rules"), [("python", code_rules()), ("migrations", migration_rules())]
)
def test_every_module_of_a_rule_is_named_after_it(part: str, rules: tuple[Rule, ...]) -> None:
    modules = (ROOT / "invoicing/toolkit/policy" / part / "rules").glob("[!_]*.py")
    assert sorted(path.stem.replace("_", "-") for path in modules) == sorted(
        rule.slug for rule in rules
    )


@pytest.mark.parametrize("rule", all_rules().values(), ids=lambda rule: rule.slug)
def test_a_rule_explains_itself(rule: Rule) -> None:
    assert all((rule.summary, rule.why, rule.bad, rule.good))
    assert rule.summary[0].islower()
    assert rule.why.endswith(".")


def test_what_is_uncertain_is_reported_under_strict_only(tmp_path: Path) -> None:
    files = {
        "app/models.py": "from sqlalchemy.orm import joinedload, relationship\n"
        "class A:\n    b = relationship(lazy=read_settings())\n"
        "q = joinedload(A.b)\nr = joinedload(x.y)\n"
    }
    assert findings_of(tmp_path, files, "lazy-raise") == []
    (lazy,) = findings_of(tmp_path, files, "lazy-raise", strict=True)
    assert lazy.message == "A.b: its lazy= cannot be determined"
    loaders = findings_of(tmp_path, files, "collection-selectin", strict=True)
    assert ["nothing says" in loader.message for loader in loaders] == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        "await asyncio.gather(f(session), g(session))",
        "await asyncio.gather(session.execute(1), session.execute(2))",
        "asyncio.create_task(f(session))\n    asyncio.create_task(g(session))",
    ],
)
def test_a_parameter_that_is_a_session_by_its_name_alone_is_uncertain(
    body: str, tmp_path: Path
) -> None:
    files = {"app/services.py": f"import asyncio\nasync def a(session):\n    {body}\n"}
    assert findings_of(tmp_path, files, "shared-session") == []
    (finding,) = findings_of(tmp_path, files, "shared-session", strict=True)
    assert "annotate it" in finding.fix
    other = {
        "app/services.py": files["app/services.py"].replace("a(session)", "a(session: Client)")
    }
    assert findings_of(tmp_path, other, "shared-session", strict=True) == []


def test_a_finding_says_where_what_and_how_to_fix_it(tmp_path: Path) -> None:
    (finding,) = findings_of(tmp_path, BAD["lazy-raise"]["another lazy"], "lazy-raise")
    assert str(finding) == (
        'app/models.py:4:22: [lazy-raise] relationship A.b has lazy="selectin"; '
        'write lazy="raise", and load it where the query is'
    )
