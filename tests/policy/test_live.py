"""What the mappers say, the SQL that squawk judges, and the page of the rules."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from invoicing.toolkit.policy import check, rules_page
from invoicing.toolkit.policy.errors import ModelsImportError
from tests.policy.project import write
from tests.policy.test_gate import policy

ROOT = Path(__file__).parents[2]
# A relationship that no text shows: it is made by a name that is put together.
HIDDEN = """
from sqlalchemy import ForeignKey, Integer, orm
from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class TimeStampedMixin:
    pass

class Owner(TimeStampedMixin, Base):
    __tablename__ = "owner"
    id = mapped_column(Integer, primary_key=True)

link = getattr(orm, "relation" + "ship")

class Thing(TimeStampedMixin, Base):
    __tablename__ = "thing"
    id = mapped_column(Integer, primary_key=True)
    owner_id = mapped_column(ForeignKey("owner.id"))
    owner = link("Owner")
    seen = relationship("Owner", viewonly=True)
"""


@pytest.fixture
def package(tmp_path: Path) -> str:
    """Return the name of a package of its own, with models."""
    name = f"hidden_{uuid4().hex[:8]}"
    write(tmp_path, {f"{name}/__init__.py": "", f"{name}/models.py": HIDDEN})
    return name


def test_the_mappers_tell_what_the_text_does_not_and_nothing_twice(
    package: str, tmp_path: Path
) -> None:
    paths = [tmp_path / package]
    static = check(paths, root=tmp_path, select=["lazy-raise"])
    assert [finding.message for finding in static.findings] == [
        "relationship Thing.seen has no lazy="
    ]
    both = check(paths, root=tmp_path, select=["lazy-raise"], models=package)
    assert [finding.message for finding in both.findings] == [
        'relationship Thing.owner has lazy="select", as its mapper says',
        "relationship Thing.seen has no lazy=",
    ]
    assert both.findings[0].path == f"{package}/models.py"
    assert package in sys.modules


def test_this_projects_mappers_and_text_agree() -> None:
    report = check([ROOT / "invoicing/models"], root=ROOT, models="invoicing.models")
    assert [str(finding) for finding in report.findings] == []


@pytest.mark.parametrize("name", ["nowhere_at_all", "hidden_broken"])
def test_a_package_that_cannot_be_imported_is_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"hidden_broken/__init__.py": "1 / 0\n"})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelsImportError, match=f"cannot look at the models of {name}"):
        check([tmp_path], root=tmp_path, models=name)


def test_the_locks_of_this_projects_revisions_are_judged() -> None:
    run = policy(ROOT, "check", "migrations", "--sql", "pyproject.toml")
    assert (run.returncode, run.stderr) == (0, ""), run.stdout


def test_the_page_of_the_rules_is_current() -> None:
    page = (ROOT / "invoicing/toolkit/policy/RULES.md").read_text(encoding="utf-8")
    # If not: make pages
    assert page == rules_page()
