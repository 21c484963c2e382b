"""The history of revisions, as the command sees it: in whole projects and for single files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import all_rules
from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from tests.policy.project import report_of, write
from tests.policy.test_gate import policy

if TYPE_CHECKING:
    from pathlib import Path

RULE = all_rules()["one-history"]
STEP = 'op.add_column("invoice", sa.Column("a", sa.BigInteger()))'
BACK = 'op.drop_column("invoice", "a")'
NARROW = 'op.alter_column("invoice", "a", type_=sa.SmallInteger())'
WIDEN = 'op.alter_column("invoice", "a", type_=sa.BigInteger())'
FOLDER = "app/migrations/versions"


def step(name: str, parent: str | None, up: str = STEP, down: str = BACK, more: str = "") -> str:
    """Return a revision that comes after another."""
    header = HEADER.replace("2a", name).replace("1a", parent or "")
    said = 'revision = "2a"\ndown_revision = "1a"'
    known = "(" + ", ".join(f'"{each}"' for each in (parent or "").split("+")) + ",)"
    written = {None: "None", "?": "f()"}.get(parent, known)
    now = f'revision = "{name}"\ndown_revision = {written}'
    return migration(up, down, header, more).replace(said, now)


def history(*revisions: tuple[str, ...], folder: str = FOLDER) -> dict[str, str]:
    """Return files of revisions; each file is called by its number and its id."""
    return {
        f"{folder}/{number}_{revision[0]}.py": step(*revision)
        for number, revision in enumerate(revisions)
    }


LABEL = 'branch_labels = ("billing",)\n'
# What is planted, and how often it is found.
BAD = {
    "a missing parent": (history(("1a", None), ("3a", "2a")), 1),
    "a missing first": (history(("2a", "1a"), ("3a", "2a")), 1),
    "a missing parent of two": (
        history(("1a", None), ("2a", "1a+gone")), 1
    ),
    "a duplicate id": (history(("1a", None), ("2a", "1a"), ("2a", "1a")), 1),
    "a duplicate id in a folder below": (
        history(("1a", None), ("2a", "1a")) | history(("2a", "1a"), folder=f"{FOLDER}/2026"), 1
    ),
    "two heads": (history(("1a", None), ("2a", "1a"), ("2b", "1a")), 1),
    "three heads": (history(("1a", None), ("2a", "1a"), ("2b", "1a"), ("2c", "1a")), 2),
    "two beginnings": (history(("1a", None), ("1b", None)), 1),
    "itself": (history(("1a", None), ("2a", "2a")), 1),
    "a circle": (history(("1a", None), ("2a", "3a"), ("3a", "2a")), 1),
    "a folder that no setting names": (history(("2a", "1a"), folder="db/steps"), 1),
}  # fmt: skip
GOOD = {
    "one chain": history(("1a", None), ("2a", "1a"), ("3a", "2a")),
    "a merge": history(("1a", None), ("2a", "1a"), ("2b", "1a"), ("3a", "2a+2b", "pass")),
    "a short id": history(("1abcdef", None), ("2a", "1abc")),
    "a branch with a label": history(
        ("1a", None), ("2a", "1a"), ("1b", None, STEP, BACK, LABEL), ("2b", "1b")
    ),
    "two histories": history(("1a", None), ("2a", "1a"))
    | {f"{FOLDER}/../env.py": "", "other/alembic/env.py": ""}
    | history(("1a", None), ("2a", "1a"), folder="other/alembic/versions"),
    "a parent that is computed": history(("1a", None), ("2a", "?")),
}  # fmt: skip


@pytest.mark.parametrize("label", BAD)
def test_a_history_that_does_not_hold_is_said(label: str, tmp_path: Path) -> None:
    files, count = BAD[label]
    report = report_of(tmp_path, files, select=["one-history"])
    assert len(report.findings) == count, report.findings


@pytest.mark.parametrize("label", GOOD)
def test_a_history_that_holds_is_not(label: str, tmp_path: Path) -> None:
    assert report_of(tmp_path, GOOD[label], select=["one-history"]).findings == []


@pytest.mark.parametrize("example", [*RULE.bad, *RULE.good])
def test_the_examples_of_the_page_are_what_they_say(example: str, tmp_path: Path) -> None:
    text = {**RULE.bad, **RULE.good}[example]
    files = {f"{FOLDER}/1.py": step("1a", None), f"{FOLDER}/2.py": text}
    found = report_of(tmp_path, files, select=["one-history"]).findings
    assert bool(found) is (example in RULE.bad)


NARROWS = {
    "by an operation": NARROW,
    "by SQL": 'op.execute("ALTER TABLE invoice ALTER COLUMN a TYPE smallint")',
    "in a batch": 'with op.batch_alter_table("invoice") as b:\n'
    '    b.alter_column("a", type_=sa.SmallInteger())',
}


@pytest.mark.parametrize("label", NARROWS)
def test_a_narrower_type_is_known_from_earlier_revisions(label: str, tmp_path: Path) -> None:
    files = history(("1a", None), ("2a", "1a", NARROWS[label], WIDEN))
    (finding,) = report_of(tmp_path, files, select=["destructive-flagged"]).findings
    assert finding.path == f"{FOLDER}/1_2a.py"
    assert "becomes smallint, which cannot hold every bigint" in finding.message
    wider = history(("1a", None), ("2a", "1a", WIDEN, WIDEN))
    assert report_of(tmp_path, wider, select=["destructive-flagged"]).findings == []


def test_a_revision_checked_alone_knows_the_others(tmp_path: Path) -> None:
    files = history(("1a", None), ("2a", "1a", NARROW, WIDEN), ("2b", "1a"))
    write(tmp_path, files)
    for marked in (True, False):
        if not marked:
            (tmp_path / "pyproject.toml").unlink()
        run = policy(tmp_path, "check", f"{FOLDER}/1_2a.py")
        assert run.stdout.count("[destructive-flagged]") == 1
        # Of two heads it is the one asked for that is reported.
        for name in ("1_2a", "2_2b"):
            run = policy(tmp_path, "check", f"{FOLDER}/{name}.py", "--select", "one-history")
            assert run.stdout.startswith(f"{FOLDER}/{name}.py:")
            assert run.stdout.endswith("1 finding in 1 file\n")
