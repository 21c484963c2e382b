"""Loaders are found by whatever name they are called, and fixed by the name that a file uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.loading import Loading, service

if TYPE_CHECKING:
    from pathlib import Path

BASE = "from sqlalchemy import select\nfrom {app}.models import Person, Team\n"
ORM = "from sqlalchemy.orm import "
# What is imported, how teams' people are loaded, what becomes of either.
NAMES = {
    "both by another name": (
        f"{ORM}joinedload as jl, selectinload as sl",
        "jl(Team.people)",
        f"{ORM}joinedload as jl, selectinload as sl",
        "sl(Team.people)",
    ),
    "the other not imported": (
        f"{ORM}joinedload",
        "joinedload(Team.people)",
        f"{ORM}joinedload, selectinload",
        "selectinload(Team.people)",
    ),
    "by another name alone": (
        f"{ORM}joinedload as jl",
        "jl(Team.people)",
        f"{ORM}joinedload as jl, selectinload",
        "selectinload(Team.people)",
    ),
    "in parentheses": (
        f"{ORM}(\n    Session,  # a\n    joinedload,  # b\n)",
        "joinedload(Team.people)",
        f"{ORM}(\n    Session,  # a\n    joinedload, selectinload,  # b\n)",
        "selectinload(Team.people)",
    ),
    "the module": (
        "import sqlalchemy.orm as o",
        "o.joinedload(Team.people)",
        "import sqlalchemy.orm as o",
        "o.selectinload(Team.people)",
    ),
    "the module in full": (
        "import sqlalchemy.orm",
        "sqlalchemy.orm.joinedload(Team.people)",
        "import sqlalchemy.orm",
        "sqlalchemy.orm.selectinload(Team.people)",
    ),
    "from the package": (
        "from sqlalchemy import orm as o",
        "o.joinedload(Team.people)",
        "from sqlalchemy import orm as o",
        "o.selectinload(Team.people)",
    ),
    "where it is made": (
        "from sqlalchemy.orm.strategy_options import joinedload as jl",
        "jl(Team.people)",
        (
            "from sqlalchemy.orm.strategy_options import joinedload as jl\n"
            "from sqlalchemy.orm import selectinload"
        ),
        "selectinload(Team.people)",
    ),
    "a name of the module": (
        f"{ORM}joinedload\nload = joinedload",
        "load(Team.people)",
        f"{ORM}joinedload, selectinload\nload = joinedload",
        "selectinload(Team.people)",
    ),
    "a name of a name": (
        f"{ORM}joinedload as jl, selectinload as sl\nload = jl\neager = load",
        "eager(Team.people)",
        f"{ORM}joinedload as jl, selectinload as sl\nload = jl\neager = load",
        "sl(Team.people)",
    ),
    "a name of the module's attribute": (
        "from sqlalchemy import orm\nload = orm.joinedload",
        "load(Team.people)",
        (
            "from sqlalchemy import orm\nfrom sqlalchemy.orm import selectinload\n"
            "load = orm.joinedload"
        ),
        "selectinload(Team.people)",
    ),
    "handed on by the project": (
        "from {app}.options import jl",
        "jl(Team.people)",
        "from {app}.options import jl\nfrom sqlalchemy.orm import selectinload",
        "selectinload(Team.people)",
    ),
    "both handed on by the project": (
        "from {app}.options import jl as j, sl as s_",
        "j(Team.people)",
        "from {app}.options import jl as j, sl as s_",
        "s_(Team.people)",
    ),
    "a name that the project hands on": (
        "from {app}.options import load",
        "load(Team.people)",
        "from {app}.options import load\nfrom sqlalchemy.orm import selectinload",
        "selectinload(Team.people)",
    ),
    "in a chain": (
        f"{ORM}Load",
        "Load(Team).joinedload(Team.people)",
        f"{ORM}Load",
        "Load(Team).selectinload(Team.people)",
    ),
}
QUERY = (
    "q = select(Team).options({load}).order_by(Team.id)\n"
    "return [[p.name for p in t.people] for t in s.scalars(q).unique()]"
)


@pytest.mark.parametrize("name", NAMES)
def test_a_loader_is_fixed_by_the_name_a_file_has_for_it(name: str, tmp_path: Path) -> None:
    imports, load, fixed_imports, fixed_load = NAMES[name]
    text = service(QUERY.format(load=load), imports, BASE)
    project = Loading(tmp_path, {"service": text})
    before = project.run("service")
    assert before == repr([[f"p{k}" for k in range(n)] for n in range(1, 5)])
    (finding,) = project.findings()
    assert "joinedload of Team.people, which is a collection; use selectinload" in str(finding)
    project.fix(unsafe=False)
    fixed = service(QUERY.format(load=fixed_load), fixed_imports, BASE)
    assert project.text("service") == fixed.replace("{app}", project.app)
    assert project.run("service") == before
    assert project.findings() == []


# Found, and left, for the name may be another thing or the other loader is not there for certain.
LEFT = {
    "a name in the function": (
        f"{ORM}joinedload as jl",
        "load = jl\nif s is None:\n    load = None\n" + QUERY.format(load="load(Team.people)"),
    ),
    "the project's module without the other": (
        "from {app} import only",
        QUERY.format(load="only.joinedload(Team.people)"),
    ),
    "by a star": ("from {app}.only import *", QUERY.format(load="joinedload(Team.people)")),
    "where it may be missing": (
        f"try:\n    {ORM}joinedload\nexcept ImportError:\n    joinedload = None",
        QUERY.format(load="joinedload(Team.people)"),
    ),
    "where the other name is taken": (
        f"{ORM}joinedload\ndef selectinload(x):\n    return joinedload(x)",
        QUERY.format(load="joinedload(Team.people)"),
    ),
}


@pytest.mark.parametrize("name", LEFT)
def test_a_name_that_is_not_certain_is_found_and_left(name: str, tmp_path: Path) -> None:
    imports, body = LEFT[name]
    only = f"{ORM}joinedload\n"
    project = Loading(tmp_path, {"only": only, "service": service(body, imports, BASE)})
    text, before = project.text("service"), project.run("service")
    assert not before.startswith("raised"), before
    assert len(project.findings()) == 1
    project.fix(unsafe=True)
    assert project.text("service") == text


@pytest.mark.parametrize("also", ["", ", selectinload"], ids=["alone", "with the other"])
def test_what_a_function_imports_is_fixed_there(also: str, tmp_path: Path) -> None:
    body = f"{ORM}joinedload{also}\n" + QUERY.format(load="joinedload(Team.people)")
    project = Loading(tmp_path, {"service": service(body, "", BASE)})
    before = project.run("service")
    project.fix(unsafe=False)
    fixed = project.text("service")
    assert "    from sqlalchemy.orm import joinedload, selectinload\n" in fixed
    assert "selectinload(Team.people)" in fixed
    assert project.run("service") == before


def test_two_loaders_of_a_file_are_imported_once(tmp_path: Path) -> None:
    body = QUERY.format(load="joinedload(Team.people)")
    text = service(body, f"{ORM}joinedload", BASE)
    text += service("return run(s)\n" + body, "", "")
    project = Loading(tmp_path, {"service": text})
    before = project.run("service")
    project.fix(unsafe=False)
    fixed = project.text("service")
    assert (fixed.count("import joinedload, selectinload\n"), fixed.count("selectinload(")) == (
        1,
        2,
    )
    assert project.run("service") == before


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_an_import_more_ends_as_the_other_lines_do(end: str, tmp_path: Path) -> None:
    text = service(QUERY.format(load="jl(Team.people)"), "from {app}.options import jl", BASE)
    project = Loading(tmp_path, {})
    path = tmp_path / project.app / "service.py"
    path.write_bytes(text.replace("{app}", project.app).replace("\n", end).encode())
    project.fix(unsafe=False)
    added = f"import jl{end}from sqlalchemy.orm import selectinload{end}"
    assert added.encode() in path.read_bytes()


def test_a_single_object_is_joined_by_the_name_a_file_has_for_it(tmp_path: Path) -> None:
    body = (
        "q = select(Person).options(sl(Person.team)).order_by(Person.id)\n"
        "return [(p.name, p.team.name) for p in s.scalars(q)]"
    )
    imports = f"{ORM}joinedload as jl, selectinload as sl"
    project = Loading(tmp_path, {"service": service(body, imports, BASE)})
    before = project.run("service")
    project.fix(unsafe=False)
    assert "sl(Person.team)" in project.text("service")
    project.fix(unsafe=True)
    assert "jl(Person.team)" in project.text("service")
    assert project.run("service") == before
