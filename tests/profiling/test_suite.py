"""A whole test-suite under the profiler, in a project of its own."""

from __future__ import annotations

import json
import linecache
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.profiling.baseline import Baseline
from invoicing.toolkit.profiling.errors import (
    ProfileSettingsError,
    QueryBaselineError,
    QueryBaselineVersionError,
)
from invoicing.toolkit.profiling.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

SHOP = """
from sqlalchemy import create_engine, text

ENGINE = create_engine("sqlite://")
NAMED = text("SELECT name FROM sqlite_master WHERE rootpage = :page")


def one_by_one(connection):
    for page in range(5):
        connection.execute(NAMED, {"page": page})


def twice(connection):
    for _ in range(3):
        connection.execute(text("SELECT count(*) FROM sqlite_master"))
"""

TESTS = """
import pytest
from shop import ENGINE, one_by_one, twice
from invoicing.toolkit.profiling import allow


def test_one_by_one():
    with ENGINE.connect() as connection:
        one_by_one(connection)


def test_again():
    with ENGINE.connect() as connection:
        one_by_one(connection)


def test_twice():
    with ENGINE.connect() as connection:
        twice(connection)


def test_fine():
    with ENGINE.connect() as connection, allow("over-fetch", why="it was large once"):
        pass


@pytest.mark.query_budget(no_findings=True)
def test_of_a_marker():
    with ENGINE.connect() as connection:
        twice(connection)
"""

SETTINGS = """
[tool.invoicing.profile]
every_test = true
warn_on = ["duplicate-statement"]
baseline = "known.json"
"""


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # The same files are written again and again within one process.
    linecache.clearcache()
    return project.runpytest_inprocess("-p", "no:asyncio", *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=SHOP, test_shop=TESTS)
    pytester.makepyprojecttoml(SETTINGS.replace('baseline = "known.json"', ""))
    return pytester


def test_a_switch_fails_every_test_that_wastes(project: pytest.Pytester) -> None:
    result = run(project)
    result.assert_outcomes(failed=2, passed=3)
    text = result.stdout.str()
    assert "[n-plus-one]" in text
    assert text.count("warning: ") == 1
    assert "[duplicate-statement]" in text
    unused = "test_shop.py:22: allow('over-fetch') allowed nothing. Remove it (its reason: it was"
    assert f"allowed, and not found: {unused}" in text


def test_a_baseline_is_adopted_and_fails_what_is_new(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(SETTINGS)
    written = project.runpytest_subprocess("--write-query-baseline", "-n", "1")
    written.assert_outcomes(passed=5)
    (entry,) = json.loads((project.path / "known.json").read_text())["findings"]
    assert (entry["path"], entry["function"], entry["slug"]) == (
        "shop.py",
        "one_by_one",
        "n-plus-one",
    )
    # Lines that are added above it change nothing.
    project.makepyfile(shop=f"# one more line\n{SHOP}")
    known = run(project)
    known.assert_outcomes(passed=5)
    assert "1 of 1 known findings were met" in known.stdout.str()
    project.makepyfile(shop=SHOP.replace("execute(NAMED, {", "execute(NAMED, parameters={"))
    run(project).assert_outcomes(failed=2, passed=3)


def test_what_is_fixed_is_stale_where_every_test_ran(project: pytest.Pytester) -> None:
    project.makepyprojecttoml(SETTINGS)
    run(project, "--write-query-baseline")
    project.makepyfile(shop=SHOP.replace("range(5)", "range(1)"))
    result = run(project)
    assert "not found any more: shop.py: n-plus-one in one_by_one" in result.stdout.str()
    assert "1 stale in" in result.stdout.str()
    part = run(project, "-k", "fine")
    assert "any more" not in part.stdout.str()
    # A part of the tests adds to a baseline, and takes nothing away.
    run(project, "--write-query-baseline", "-k", "fine")
    assert len(json.loads((project.path / "known.json").read_text())["findings"]) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('fail_on = ["n1"]', "unknown finding 'n1'"),
        ('warn_on = "n-plus-one"\nfail_on = ["n-plus-one"]', "both name n-plus-one"),
        ("fail_in = []", "Did you mean fail_on"),
        ("thresholds = { many = true }", "is no number: True"),
        ("thresholds = { mani = 3 }", "unknown threshold 'mani'"),
        ('every_test = "perhaps"', "is true or false"),
        ("fail_on = 3", "no list of kinds"),
        ('allow = ["all"]', "unknown finding 'all'"),
        ("baseline = 3", "baseline is no path"),
        ("fail_on = [", "pyproject.toml are invalid"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    tmp_path: Path, settings: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(f"[tool.invoicing.profile]\n{settings}\n")
    with pytest.raises(ProfileSettingsError) as raised:
        read_settings(tmp_path)
    assert message in str(raised.value)
    assert "pyproject.toml" in str(raised.value)


def test_settings_are_read_from_an_ini_file_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    (tmp_path / "setup.cfg").write_text(
        "[invoicing:profile]\nfail_on = n-plus-one,\n  over-fetch\nthresholds = many=20 share=0.5\n"
        "every_test = yes\nbaseline = old.json\n"
    )
    settings = read_settings(tmp_path)
    assert settings.fail_on == {"n-plus-one", "over-fetch"}
    assert settings.warn_on == frozenset()
    assert (settings.thresholds.many, settings.thresholds.share) == (20, 0.5)
    assert settings.every_test
    assert settings.baseline == tmp_path / "old.json"


def test_what_warns_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.invoicing.profile]\nfail_on = ["n-plus-one"]\nwarn_on = ["all"]\n'
    )
    settings = read_settings(tmp_path)
    assert settings.fail_on == {"n-plus-one"}
    assert "over-fetch" in settings.warn_on
    assert "n-plus-one" not in settings.warn_on


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", QueryBaselineError),
        ("[]", QueryBaselineError),
        ("{}", QueryBaselineError),
        ('{"version": 1, "findings": [{}]}', QueryBaselineError),
        ('{"version": 1, "findings": 3}', QueryBaselineError),
        ('{"version": 2}', QueryBaselineVersionError),
        ('{"version": "1"}', QueryBaselineVersionError),
    ],
)
def test_a_baseline_that_is_none_is_refused(
    tmp_path: Path, text: str, error: type[Exception]
) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(error, match=r"known\.json"):
        Baseline.read(path)


def test_a_run_with_wrong_settings_does_not_begin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    pytester.makepyprojecttoml('[tool.invoicing.profile]\nfail_on = ["n-plus-won"]\n')
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "Did you mean n-plus-one?" in result.stderr.str()
    pytester.makepyprojecttoml("[tool.other]\n")
    missing = run(pytester, "--query-profile", "--query-baseline", "none.json")
    assert missing.ret == pytest.ExitCode.USAGE_ERROR
    assert "there is no such file" in missing.stderr.str()
