"""A rule that is begun works as it is: it finds its bad examples, and none of its good ones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy.errors import NewRuleError
from invoicing.toolkit.policy.new_rule import write_rule
from tests.policy.project import report_of
from tests.policy.test_gate import policy
from tests.policy.test_migration_rules import breaks

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
RULES = "invoicing/toolkit/policy/{}/rules"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for part in ("python", "migrations"):
        folder = tmp_path / RULES.format(part)
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    return tmp_path


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"written_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_rule_for_code_finds_its_fault_and_not_the_twin(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = policy(clone, "new-rule", "no-surprise")
    assert run.returncode == 0, run.stderr
    rule, cases = (load(clone / line) for line in run.stdout.splitlines())
    assert "make pages" in run.stderr
    monkeypatch.setattr("invoicing.toolkit.policy.judging.code_rules", lambda: (rule.RULE,))
    monkeypatch.setattr(
        "invoicing.toolkit.policy.registry.all_rules", lambda: {"no-surprise": rule.RULE}
    )
    for number, planted in enumerate(cases.PLANTED.values()):
        for kind in ("fault", "twin"):
            report = report_of(tmp_path / f"{number}{kind}", getattr(planted, kind))
            found = {finding.rule for finding in report.findings}
            assert found == ({planted.rule} if kind == "fault" else set())


def test_a_rule_for_migrations_finds_its_bad_examples(clone: Path) -> None:
    run = policy(clone, "new-rule", "no-surprise", "--migrations")
    (path,) = run.stdout.splitlines()
    rule = load(clone / path).RULE
    for examples, expected in ((rule.bad, True), (rule.good, False)):
        assert [breaks(rule, source) for source in examples.values()] == [expected]


def test_what_is_written_keeps_to_the_house(clone: Path) -> None:
    written = [*write_rule(clone, "ab", "python"), *write_rule(clone, "no-enum-drop", "migrations")]
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", *written]
        run = subprocess.run(ruff, cwd=clone, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("slug", "reason"),
    [
        ("lazy-raise", "there is such a rule"),
        ("Lazy", "small letters"),
        ("../x", "small letters"),
        ("class", "small letters"),
        ("taken", "python/rules/taken.py is there already"),
    ],
)
def test_a_name_that_cannot_be_used_writes_nothing(clone: Path, slug: str, reason: str) -> None:
    (clone / RULES.format("python") / "taken.py").write_text("x = 1\n")
    before = sorted(clone.rglob("*"))
    with pytest.raises(NewRuleError, match=reason):
        write_rule(clone, slug, "python")
    assert sorted(clone.rglob("*")) == before


def test_another_project_has_no_place_for_one(tmp_path: Path) -> None:
    run = policy(tmp_path, "new-rule", "no-surprise")
    assert (run.returncode, "no clone of invoicing" in " ".join(run.stderr.split())) == (2, True)
    assert not any(tmp_path.iterdir())
