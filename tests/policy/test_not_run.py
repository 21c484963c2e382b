"""A rule that needs an option says so: before it is asked for, and where it did not run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import FORMATS, all_rules, check, rules_page
from invoicing.toolkit.policy.migrations.examples import migration
from tests.policy.project import write
from tests.policy.test_gate import BROKEN, policy
from tests.policy.test_safe_migration import INI, project

if TYPE_CHECKING:
    from pathlib import Path

NEEDY = {rule.slug: rule.needs for rule in all_rules().values() if rule.needs}
REVISION = migration('op.add_column("invoice", sa.Column("b", sa.Text()))', "pass").replace(
    '"1a"', "None"
)
SAID = "safe-migration did not run: it needs --sql"


def test_a_rule_that_needs_an_option_finds_nothing_by_itself() -> None:
    assert NEEDY["safe-migration"] == "--sql"
    assert {slug for slug in NEEDY if all_rules()[slug].check is not None} == set()


@pytest.mark.parametrize("slug", NEEDY)
def test_a_rule_that_is_asked_for_and_cannot_run_is_said(slug: str, tmp_path: Path) -> None:
    write(tmp_path, {"app/a.py": "x = 1\n"})
    run = policy(tmp_path, "check", "app/a.py", "--select", slug)
    said = f"{slug} did not run: it needs {NEEDY[slug]}"
    assert (run.returncode, run.stdout) == (2, f"nothing was checked; {said}\n")


def test_beside_a_rule_that_runs_its_findings_are_said_as_well(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    rules = ["--select", "lazy-raise", "--select", "safe-migration"]
    run = policy(tmp_path, "check", "app", *rules)
    assert run.returncode == 2
    assert "[lazy-raise]" in run.stdout
    assert run.stdout.splitlines()[-1] == f"1 finding in 3 files; {SAID}"


def test_where_there_are_migrations_it_is_said_unasked(tmp_path: Path) -> None:
    write(tmp_path, {"app/a.py": "x = 1\n"})
    assert policy(tmp_path, "check").stdout == "3 files clean\n"
    write(tmp_path, {"migrations/versions/a.py": REVISION})
    ignored = ["--ignore", "reversible-migration", "--ignore", "migration-header"]
    run = policy(tmp_path, "check", "migrations", *ignored)
    assert (run.returncode, run.stdout) == (0, f"1 file clean; {SAID}\n")
    run = policy(tmp_path, "check", "migrations", *ignored, "--ignore", "safe-migration")
    assert (run.returncode, run.stdout) == (0, "1 file clean\n")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.invoicing.policy]\nignore = ["safe-migration"]\n'
    )
    assert policy(tmp_path, "check", "migrations", *ignored).stdout == "1 file clean\n"


def test_with_its_option_it_runs(tmp_path: Path) -> None:
    config = project(tmp_path, [REVISION])
    assert INI in config.read_text()
    run = policy(tmp_path, "check", ".", "--sql", "alembic.ini", "--select", "safe-migration")
    assert (run.returncode, "did not run" in run.stdout) == (1, False)
    assert "[safe-migration]" in run.stdout


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_says_what_did_not_run(name: str, tmp_path: Path) -> None:
    write(tmp_path, {"app/a.py": "x = 1\n"})
    report = check([tmp_path / "app"], root=tmp_path, select=["safe-migration"])
    shown = FORMATS[name](report, all_rules())
    if name == "json":
        assert json.loads(shown)["not_run"] == [{"rule": "safe-migration", "needs": "--sql"}]
    else:
        assert SAID in shown
    run = policy(tmp_path, "check", "app", "--select", "safe-migration", "--format", name)
    assert run.returncode == 2


def test_what_explains_a_rule_says_which_option_it_needs(tmp_path: Path) -> None:
    lines = {line.split()[0]: line for line in policy(tmp_path, "rules").stdout.splitlines()}
    assert lines["safe-migration"].endswith(" (needs --sql)")
    assert lines["lazy-raise"].endswith(" (sees more with --models)")
    assert "--" not in lines["async-only"]
    explained = policy(tmp_path, "check", "--explain", "safe-migration").stdout
    assert "Runs only with --sql." in explained
    assert "Sees more with --models." in policy(tmp_path, "check", "--explain", "lazy-raise").stdout
    assert "Runs only with `--sql`." in rules_page()
