"""Files that are fixed: proven first, written whole, and byte for byte as they were elsewhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy import check, find_fixes, fix, write_fixes
from tests.policy.project import MODELS, write
from tests.policy.test_gate import BROKEN, policy

if TYPE_CHECKING:
    from pathlib import Path

RULES = ["collection-selectin", "single-joined"]
TOP = "from sqlalchemy import orm, select\nfrom app.models import Account, Invoice\n"
BOTH = "from sqlalchemy.orm import joinedload, selectinload\n"
JOINED = "joinedload(Account.invoices)"
SELECTED = "selectinload(Account.invoices)"


def fixed(folder: Path, text: str | bytes, *, unsafe: bool = False) -> bytes:
    """Return what becomes of a service."""
    write(folder, {"app/models.py": MODELS})
    path = folder / "app/services.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    report = check([folder], root=folder, select=RULES)
    assert not report.problems
    count, files = fix(folder, report.findings, unsafe=unsafe)
    assert (count > 0) is bool(files)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TOP + BOTH + f"q = {JOINED}\n", TOP + BOTH + f"q = {SELECTED}\n"),
        (
            TOP + BOTH + "q = joinedload(Account.history), joinedload(Account.invoices)\n",
            TOP + BOTH + "q = selectinload(Account.history), selectinload(Account.invoices)\n",
        ),
        (TOP + f"q = orm.{JOINED}\n", TOP + f"q = orm.{SELECTED}\n"),
        (
            "import sqlalchemy as sa\nimport sqlalchemy.orm as so\n" + TOP + f"q = so.{JOINED}\n",
            "import sqlalchemy as sa\nimport sqlalchemy.orm as so\n" + TOP + f"q = so.{SELECTED}\n",
        ),
        (
            TOP + BOTH + f"q = {{'é': ({JOINED},  # of é\n    {JOINED})}}\n",
            TOP + BOTH + f"q = {{'é': ({SELECTED},  # of é\n    {SELECTED})}}\n",
        ),
        (
            TOP + BOTH + "q = (joinedload(  # why\n    Account.invoices\n) )\n",
            TOP + BOTH + "q = (selectinload(  # why\n    Account.invoices\n) )\n",
        ),
    ],
    ids=["plain", "two on a line", "module", "alias of the module", "beside é", "over lines"],
)
def test_a_plain_loader_is_swapped(before: str, after: str, tmp_path: Path) -> None:
    assert fixed(tmp_path, before) == after.encode()


@pytest.mark.parametrize(
    "text",
    [
        BOTH + "q = joinedload(Account.invoices, innerjoin=True)\n",
        BOTH + "q = selectinload(Invoice.account, recursion_depth=2)\n",
        BOTH + "q = joinedload(Account.invoices).joinedload(Invoice.account, innerjoin=True)\n",
        BOTH + "q = joinedload(Account.invoices, **how)\n",
        BOTH + "q = joinedload(Account.invoices.and_(Invoice.id > 1))\n",
        BOTH + "q = joinedload(Account.invoices.of_type(Invoice))\n",
        BOTH + "q = joinedload(Account.invoices, Invoice.account)\n",
        BOTH + "q = joinedload(Account.invoices).contains_eager(Invoice.account)\n",
        BOTH + "q = select(Invoice).options(selectinload(Invoice.account)).with_for_update()\n",
        BOTH + f"def f():\n    return {JOINED}\ndef g(q):\n    return q.with_for_update()\n",
        BOTH + f"def f(s):\n    s.get(Account, 1, options=[{JOINED}], with_for_update=True)\n",
        BOTH + "from sqlalchemy.ext.asyncio import AsyncSession\n"
        "async def f(session: AsyncSession):\n    q = select(Invoice).with_for_update()\n"
        "    await session.scalars(q.options(selectinload(Invoice.account)))\n",
        BOTH + "q = select(Invoice).group_by(Invoice.id)\n"
        "q = q.options(joinedload(Invoice.account).joinedload(Account.invoices))\n",
        BOTH + f"def f(selectinload):\n    return {JOINED}\n",
        BOTH + f"selectinload = None\nq = {JOINED}\n",
        (
            "from typing import TYPE_CHECKING\nfrom sqlalchemy.orm import joinedload\n"
            f"if TYPE_CHECKING:\n    from sqlalchemy.orm import selectinload\nq = {JOINED}\n"
        ),
        (
            "from sqlalchemy.orm import joinedload\ndef f():\n"
            f"    from sqlalchemy.orm import selectinload\ndef g():\n    return {JOINED}\n"
        ),
        (
            "from sqlalchemy.orm import joinedload\n"
            "try:\n    from sqlalchemy.orm import selectinload\n"
            f"except ImportError:\n    selectinload = None\nq = {JOINED}\n"
        ),
        BOTH + "o = joinedload(Invoice.account)\nmore = o.joinedload(Account.invoices)\n",
    ],
)
def test_what_is_not_plain_is_reported_and_left(text: str, tmp_path: Path) -> None:
    before = (TOP + text).encode()
    assert fixed(tmp_path, before, unsafe=True) == before
    assert check([tmp_path], root=tmp_path, select=RULES).findings


def test_a_lock_in_a_file_that_takes_the_statement_is_seen(tmp_path: Path) -> None:
    takes = "from app.services import statement\nq = statement().with_for_update()\n"
    write(tmp_path, {"app/jobs.py": takes})
    text = TOP + BOTH + f"def statement():\n    return select(Account).options({JOINED})\n"
    assert fixed(tmp_path, text) == text.encode()


def test_a_relationship_that_joins_otherwise_is_left(tmp_path: Path) -> None:
    models = MODELS.replace('] = relationship(lazy="raise")', "] = relationship(innerjoin=True)", 1)
    write(tmp_path, {"app/models.py": models, "app/services.py": TOP + BOTH + f"q = {JOINED}\n"})
    report = check([tmp_path], root=tmp_path, select=RULES)
    assert len(report.findings) == 1
    assert fix(tmp_path, report.findings) == (0, [])


def test_a_join_more_is_made_on_request_only(tmp_path: Path) -> None:
    before = (TOP + BOTH + "q = selectinload(Invoice.account)\n").encode()
    assert fixed(tmp_path, before) == before
    assert b"q = joinedload(Invoice.account)" in fixed(tmp_path, before, unsafe=True)


@pytest.mark.parametrize(
    ("encoding", "head"),
    [
        ("latin-1", "# coding: latin-1\n"),
        ("cp1252", "# -*- coding: cp1252 -*-\n"),
        ("utf-8-sig", ""),
        ("utf-8-sig", "# coding: utf-8\n"),
        ("utf-8", ""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_the_other_bytes_of_a_file_stay(encoding: str, head: str, end: str, tmp_path: Path) -> None:
    # Between bare carriage returns Python itself finds no declaration.
    head = "" if end == "\r" else head
    encoding = encoding if head or "utf" in encoding else "utf-8"
    text = head + TOP + BOTH + f"q = 'é\u00fc', {JOINED}  # é\n\fx = 'ß'; y = {JOINED}"
    before = text.replace("\n", end).encode(encoding)
    after = text.replace(JOINED, SELECTED).replace("\n", end).encode(encoding)
    assert fixed(tmp_path, before) == after
    assert fixed(tmp_path, after) == after


def test_a_mark_on_the_first_line_moves_nothing(tmp_path: Path) -> None:
    line = "from sqlalchemy.orm import joinedload, selectinload; import app.models; "
    line += "from app.models import Account; q = "
    before = (line + JOINED).encode("utf-8-sig")
    assert fixed(tmp_path, before) == (line + SELECTED).encode("utf-8-sig")


def test_a_file_that_would_not_parse_is_left_and_the_others_fixed(tmp_path: Path) -> None:
    # Where an argument ends is before its bracket.
    text = BROKEN["app/models.py"].replace('(back_populates="a")', '(("B"),)')
    assert 'relationship(("B"),)' in text
    write(tmp_path, {"app/models/a.py": text, "app/models/b.py": BROKEN["app/models.py"]})
    findings = check([tmp_path], root=tmp_path, select=["lazy-raise"]).findings
    assert len(findings) == 2
    assert fix(tmp_path, findings, unsafe=True) == (1, ["app/models/b.py"])
    assert (tmp_path / "app/models/a.py").read_text() == text


def test_a_suppressed_line_is_left(tmp_path: Path) -> None:
    text = TOP + BOTH + f"q = {JOINED}  # policy: allow collection-selectin -- few rows\n"
    assert fixed(tmp_path, text) == text.encode()


def test_a_file_that_has_changed_since_is_left(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": MODELS, "app/services.py": TOP + BOTH + f"q = {JOINED}\n"})
    fixes = find_fixes(tmp_path, check([tmp_path], root=tmp_path, select=RULES).findings)
    (tmp_path / "app/services.py").write_text("x = 1\n")
    (problem,) = write_fixes(tmp_path, fixes)
    assert (problem.path, "changed" in problem.message) == ("app/services.py", True)
    assert (tmp_path / "app/services.py").read_text() == "x = 1\n"
    (tmp_path / "app/services.py").unlink()
    (problem,) = write_fixes(tmp_path, fixes)
    assert "not written" in problem.message


def test_a_file_that_may_not_be_written_is_said_and_left(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": MODELS, "app/services.py": TOP + BOTH + f"q = {JOINED}\n"})
    (tmp_path / "app/services.py").chmod(0o444)
    run = policy(tmp_path, "check", "app", "--select", "collection-selectin", "--fix")
    assert run.returncode == 1
    assert "app/services.py: read-only" in run.stderr
    assert "(not fixed: read-only, so its fixes are not written)" in run.stdout
    assert "findings fixed: 0" in run.stderr
    assert JOINED in (tmp_path / "app/services.py").read_text()


def test_a_fixed_file_keeps_its_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": MODELS})
    path = tmp_path / "app/services.py"
    path.write_text("")
    path.chmod(0o750)
    assert SELECTED.encode() in fixed(tmp_path, TOP + BOTH + f"q = {JOINED}\n")
    assert path.stat().st_mode & 0o777 == 0o750
    names = {path.name for path in (tmp_path / "app").iterdir()}
    assert names == {"__init__.py", "base.py", "models.py", "services.py"}


def test_a_notebook_is_reported_and_left(tmp_path: Path) -> None:
    write(tmp_path, {"app/models.py": MODELS})
    cell = {"cell_type": "code", "source": [TOP, BOTH, f"q = {JOINED}"]}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [cell]}))
    before = path.read_bytes()
    report = check([path], root=tmp_path, select=RULES)
    assert fix(tmp_path, report.findings) == (0, [])
    assert path.read_bytes() == before
    run = policy(tmp_path, "check", ".", "--select", "collection-selectin", "--format", "json")
    assert [(load["fixable"], load["fix"]) for load in json.loads(run.stdout)["findings"]] == [
        (False, None)
    ]


def test_the_command_line_makes_safe_fixes_and_says_how_to_make_the_others(tmp_path: Path) -> None:
    services = TOP + BOTH + f"q = {JOINED}\n"
    write(tmp_path, {"app/models.py": MODELS + "    late = relationship()\n"})
    (tmp_path / "app/services.py").write_text(services)
    rules = ["--select", "lazy-raise", "--select", "collection-selectin"]
    run = policy(tmp_path, "check", "app", *rules)
    assert "fixable with --fix: 1" in run.stderr
    assert "--unsafe-fixes: 1" in run.stderr
    shown = policy(tmp_path, "check", "app", *rules, "--diff")
    assert shown.returncode == 1
    assert f"-q = {JOINED}\n+q = {SELECTED}\n" in shown.stdout
    assert 'late = relationship(lazy="raise")' not in shown.stdout
    # Without --fix the flag says only which are meant.
    policy(tmp_path, "check", "app", *rules, "--unsafe-fixes")
    assert (tmp_path / "app/services.py").read_text() == services
    run = policy(tmp_path, "check", "app", *rules, "--fix")
    assert (run.returncode, "findings fixed: 1, files changed: 1" in run.stderr) == (1, True)
    assert "late = relationship()" in (tmp_path / "app/models.py").read_text()
    run = policy(tmp_path, "check", "app", *rules, "--fix", "--unsafe-fixes")
    assert run.returncode == 0, run.stdout
    assert policy(tmp_path, "check", "app", *rules, "--diff").returncode == 0


def test_what_fixing_leaves_says_why(tmp_path: Path) -> None:
    models = MODELS + "    late = relationship()\n    other = relationship(**HOW)\n"
    models = models.replace("class Account", 'HOW = {"lazy": "select"}\nclass Account', 1)
    models += 'class Bare(Base):\n    __tablename__ = "bare"\n'
    services = TOP + BOTH + f"q = {JOINED}\np = selectinload(Invoice.account)\n"
    services += "o = subqueryload(Account.invoices)\nr = selectinload(Invoice.payer, **how)\n"
    services = services.replace("orm import", "orm import subqueryload,", 1)
    taken = TOP + BOTH + f"def f(selectinload):\n    return {JOINED}\n"
    cell = {"cell_type": "code", "source": [TOP, BOTH, f"q = {JOINED}"]}
    write(tmp_path, {"app/models.py": models, "app/services.py": services, "app/taken.py": taken})
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [cell]}))
    run = policy(tmp_path, "check", ".", "--fix")
    lines = run.stdout.splitlines()[:-1]
    assert f"q = {SELECTED}" in (tmp_path / "app/services.py").read_text()
    assert lines
    assert all(line.endswith(")") and line.count("(not fixed: ") == 1 for line in lines), lines
    reasons = {
        "Invoice.late": "unsafe, and made with --unsafe-fixes",
        "Invoice.other": "stands elsewhere",
        "Bare": "no automatic fix",
        "subqueryload of Account.invoices": "subqueryload loads at another time",
        "selectinload of Invoice.account": "unsafe, and made with --unsafe-fixes",
        "selectinload of Invoice.payer": "selectinload() of this option has more to it",
        "app/taken.py": "selectinload is not bound once",
        "a.ipynb": "the cells of a notebook are left to you",
    }
    for what, reason in reasons.items():
        assert any(reason in line for line in lines if what in line), (what, lines)
    shown = json.loads(policy(tmp_path, "check", "app", "--format", "json").stdout)["findings"]
    assert any("at another time" in (finding["not_fixed"] or "") for finding in shown)


FORMATTED = {
    '"A", back_populates="r"': '"A", back_populates="r", lazy="raise"',
    '"A",': '"A", lazy="raise",',
    '"A", back_populates="r",': '"A", lazy="raise", back_populates="r",',
    '\n        "A",\n        back_populates="r",\n    ': '\n        "A", lazy="raise",\n'
    '        back_populates="r",\n    ',
    '\n        "A"\n    ': '\n        "A", lazy="raise"\n    ',
    '\n        "A",  # why\n    ': '\n        "A", lazy="raise",  # why\n    ',
    '\n        back_populates="r",\n    ': 'lazy="raise", \n        back_populates="r",\n    ',
    'primaryjoin=("A.id == "\n        "B.id"\n    )': 'lazy="raise", primaryjoin=("A.id == "\n'
    '        "B.id"\n    )',
    " ": 'lazy="raise" ',
    "\n    ": 'lazy="raise"\n    ',
}


def test_a_relationship_is_fixed_however_it_is_formatted(tmp_path: Path) -> None:
    write(tmp_path, {})
    lines = [
        f"    r{number}: Mapped['A'] = relationship({{}})\n" for number in range(len(FORMATTED))
    ]
    head = "from app.base import *\nclass A(TimeStampedMixin, Base):\n    __tablename__ = 'a'\n"
    model = tmp_path / "app/models.py"
    model.write_text(head + "".join(map(str.format, lines, FORMATTED)))
    findings = check([tmp_path], root=tmp_path, select=["lazy-raise"]).findings
    assert fix(tmp_path, findings, unsafe=True) == (len(FORMATTED), ["app/models.py"])
    assert model.read_text() == head + "".join(map(str.format, lines, FORMATTED.values()))


def test_what_is_not_reported_is_not_fixed(tmp_path: Path) -> None:
    write(tmp_path, BROKEN)
    model = tmp_path / "app/models.py"
    assert policy(tmp_path, "check", "--write-baseline", "known.json").returncode == 0
    known = model.read_text()
    model.write_text(known + "    late: Mapped['B'] = relationship()\n")
    fixed = ("check", "--baseline", "known.json", "--unsafe-fixes")
    shown = policy(tmp_path, *fixed, "--diff").stdout
    assert shown.count("\n+") - shown.count("\n+++") == 1
    policy(tmp_path, *fixed, "--fix")
    assert model.read_text() == known + "    late: Mapped['B'] = relationship(lazy=\"raise\")\n"
