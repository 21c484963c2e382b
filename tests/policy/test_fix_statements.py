"""Beside what a join more, or less, would change, loaders are left, and the reason is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.loading import Loading, service

if TYPE_CHECKING:
    from pathlib import Path

TEAMS = "select(Team{more}).options(joinedload(Team.people))"
ROWS = "return [(t.name, len(t.people), *more) for t, *more in s.execute(q).unique()]"


def teams(more: str = "", then: str = ".order_by(Team.id)") -> str:
    """Return a service that selects teams with something more."""
    more = f", {more}" if more else ""
    return f"q = {TEAMS.format(more=more)}{then}\n{ROWS}"


# What it gives depends on how many rows there are before they are made unique.
COUNTED = {
    "a window": teams("func.count().over()"),
    "a row number": teams("func.row_number().over(order_by=Team.id)"),
    "a window in raw SQL": teams('text("count(*) over ()")'),
    "a literal column": teams('literal_column("count(*) over ()")'),
    "a column by its name alone": teams('func.count(column("team_id")).over()'),
    "a window added": teams(then=".order_by(Team.id).add_columns(func.count(Team.id).over())"),
    "by its module": teams("sa.func.count().over()"),
    "by a function": teams("over(func.count())"),
    "labelled": teams('func.count().over().label("n")'),
    "in arithmetic": teams("func.count().over() + 1"),
    "in a case": teams('case((func.count().over() > 5, "many"), else_="few")'),
    "in a comparison": teams("func.count().over() > 5"),
    "of a name": "n = func.count().over()\n" + teams("n"),
    "of a name's method": "n = func.count().over()\n" + teams('n.label("n")'),
    "of a list": "columns = [func.count().over()]\n" + teams("*columns"),
    "of a dictionary": 'known = {"n": func.count().over()}\n' + teams('known["n"]'),
    "added later": "q = " + TEAMS.format(more="") + "\nq = q.order_by(Team.id)\n"
    f"q = q.add_columns(func.count().over())\n{ROWS}",
    "an aggregate": teams("func.count()", ".order_by(Team.id)"),
    "a sum": teams("func.sum(Team.id)"),
    "ordered by a window": teams(then=".order_by(func.count().over(), Team.id)"),
    "a mapped window": "q = select(Ranked).options(joinedload(Ranked.people)).order_by(Ranked.id)\n"
    "return [(t.rank, len(t.people)) for t in s.scalars(q).unique()]",
    "a window of a hybrid": "q = select(Numbered, Numbered.number)"
    ".options(joinedload(Numbered.members)).order_by(Numbered.id)\n"
    "return [(n, len(t.members)) for t, n in s.execute(q).unique()]",
    "by a name at run time": 'n = getattr(func, "count")().over\n' + teams("n()"),
    "by a table of functions": 'known = {"n": lambda: func.count().over()}\n'
    + teams('known["n"]()'),
    "of an alias": "a = aliased(Team)\nq = select(a, func.count().over())"
    ".options(joinedload(a.people)).order_by(a.id)\n" + ROWS,
    "in a connection": f"q = {TEAMS.format(more='')}\nreturn len(s.connection().execute(q).all())",
    "in a connection at once": f"return len(s.connection().execute({TEAMS.format(more='')}).all())",
    "an option of its own": "o = joinedload(Team.people)\nq = select(Team, func.count().over())"
    f".options(o).order_by(Team.id)\n{ROWS}",
    "raw order of an alias": teams(then='.order_by(Team.id, text("person_1.id DESC"))'),
}
ELSEWHERE = {
    "a column of another module": ("from {app}.parts import EVERY", teams("EVERY")),
    "of another module by its name": ("from {app} import parts", teams("parts.EVERY")),
    "made by another module": ("from {app}.parts import numbered", teams("numbered()")),
    "added by another module": (
        "from {app}.parts import counted",
        f"q = counted({TEAMS.format(more='')}.order_by(Team.id))\n{ROWS}",
    ),
    "of the module": ("EVERY = func.count().over()", teams("EVERY")),
    "of a function": ("def every():\n    return func.count().over()", teams("every()")),
    "of a parameter's default": (
        f"def build(n=func.count().over()):\n    return {TEAMS.format(more=', n')}",
        f"q = build().order_by(Team.id)\n{ROWS}",
    ),
    "by another name": (
        "from sqlalchemy import func as f, text as t",
        teams('f.count().over(), t("count(*) over ()")'),
    ),
    "by functions' own module": (
        "from sqlalchemy.sql import func as f, functions as fs",
        teams("f.count(), fs.count()"),
    ),
    "by a query": (
        "",
        (
            "q = s.query(Team, func.count().over()).options(joinedload(Team.people))\n"
            "return [(t.name, n) for t, n in q.order_by(Team.id)]"
        ),
    ),
    "added by a function": (
        (
            f"def build():\n    return {TEAMS.format(more='')}\n"
            "def every(q):\n    return q.add_columns(func.count().over())"
        ),
        f"q = every(build()).order_by(Team.id)\n{ROWS}",
    ),
}
PEOPLE = "q = select(Person).options(selectinload(Person.team)){then}\n"
NAMES = "return [(p.name, p.team.name) for p in s.scalars(q)]"


def people(then: str) -> str:
    """Return a service that selects people."""
    return PEOPLE.format(then=then) + NAMES


# A second table makes a name ambiguous, or comes between.
AMBIGUOUS = {
    "raw order": people('.order_by(text("name"))'),
    "raw criterion": people(""".where(text("name <> 'p0'")).order_by(Person.id)"""),
    "order by a string": people('.order_by("name", Person.id)'),
    "descending string": people('.order_by(desc("name"), Person.id)'),
    "a literal column": people('.order_by(literal_column("name"))'),
    "a column by its name": people('.order_by(column("name"))'),
    "in a function": people('.order_by(func.lower(text("name")))'),
    "in and_": people(""".where(and_(Person.id > 1, text("name <> 'p0'")))"""),
    "in an operator": people(""".where((Person.id > 11) | text("name = 'p0'"))"""),
    "in a comparison": people(""".where(literal_column("name") != "p0")"""),
    "in a named list": """parts = [text("name <> 'p0'")]\n""" + people(".where(*parts)"),
    "in a name": 'order = text("name")\n' + people(".order_by(order)"),
    "in a filter": people(""".filter(text("name <> 'p0'"))"""),
    "later": PEOPLE.format(then="") + f'q = q.order_by(text("name"))\n{NAMES}',
    "at once": "return [p.team.name for p in s.scalars(select(Person)"
    '.options(selectinload(Person.team)).order_by(text("name")))]',
    "grouped by a string": people('.group_by(text("name")).order_by(Person.id)'),
    "a formatted string": 'by = "name"\n' + people('.order_by(text(f"{by} DESC"))'),
    "as a hint": people('.prefix_with("ALL")'),
    "after a chain": "q = select(Team).options(selectinload(Team.people)"
    '.selectinload(Person.team)).order_by(text("name"))\n'
    "return [[p.team.name for p in t.people] for t in s.scalars(q)]",
}
AMBIGUOUS_ELSEWHERE = {
    "order of another module": ("from {app}.parts import ORDER", people(".order_by(ORDER)")),
    "ordered by another module": (
        "from {app}.parts import ordered",
        PEOPLE.format(then="") + f"q = ordered(q)\n{NAMES}",
    ),
    "of a parameter": (
        (
            "def build(order):\n    return select(Person).options(selectinload(Person.team))"
            ".order_by(order)"
        ),
        f'q = build(text("name"))\n{NAMES}',
    ),
    "descending by another name": (
        "from sqlalchemy import desc as d",
        people('.order_by(d("name"))'),
    ),
    "a constant": ('ORDER = "name"', people(".order_by(ORDER)")),
    "of a query": (
        "",
        (
            "q = s.query(Person).options(selectinload(Person.team)).order_by('name')\n"
            "return [(p.name, p.team.name) for p in q]"
        ),
    ),
    "of a function": (
        'def order():\n    return text("name")',
        people(".order_by(order())"),
    ),
}
SAFE = ["safe", "unsafe"]


def cases(plain: dict[str, str], elsewhere: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return services by names that a module may have."""
    texts = {name: service(body) for name, body in plain.items()}
    texts |= {name: service(body, before) for name, (before, body) in elsewhere.items()}
    return texts


HAZARDS = cases(COUNTED, ELSEWHERE) | cases(AMBIGUOUS, AMBIGUOUS_ELSEWHERE)


@pytest.mark.parametrize("name", HAZARDS)
def test_what_a_join_would_change_is_left_and_the_reason_is_said(name: str, tmp_path: Path) -> None:
    project = Loading(tmp_path, {"service": HAZARDS[name]})
    text, before = project.text("service"), project.run("service")
    assert not before.startswith("raised"), before
    found = project.findings()
    assert found
    project.fix(unsafe=True)
    after = project.run("service")
    assert after == before
    assert project.text("service") == text
    assert all("(not fixed: " in str(finding) for finding in found)


# What a join changes nothing of.
PLAIN = {
    "alone": teams(),
    "with a column": teams("Team.name"),
    "with a function of one row": teams("func.lower(Team.name)"),
    "with a label": teams('Team.name.label("n")'),
    "by criteria": teams(then=".where(Team.id > 1, Team.name.in_(['t2', 't3'])).order_by(Team.id)"),
    "by a parameter": "n = 1 + 1\n" + teams(then=".where(Team.id > n).order_by(desc(Team.id))"),
    "by an or": teams(then=".where(or_(Team.id == 1, Team.id == 2)).order_by(Team.name)"),
    "by a count of others": teams(
        then=".where(Team.id.in_(select(Person.team_id).group_by(Person.team_id)"
        ".having(func.count() > 1))).order_by(Team.id)"
    ),
    "by keywords": teams(then=".filter_by(name='t2')"),
    "limited": "n = int('2')\n" + teams(then=".order_by(Team.id).limit(n).offset(n - 1)"),
    "at once": "return [len(t.people) for t in s.scalars(select(Team)"
    ".options(joinedload(Team.people)).order_by(Team.id)).unique()]",
    "of an alias": "a = aliased(Team)\nq = select(a).options(joinedload(a.people)).order_by(a.id)\n"
    + ROWS,
    "beside raw SQL run by itself": "s.execute(text('SELECT 1'))\n" + teams(),
    "beside a join": teams(then=".join(Team.people).where(Person.id > 20).order_by(Team.id)"),
    "by a hybrid": "q = select(Person).options(selectinload(Person.team)).order_by(Person.shout)\n"
    + NAMES,
    "a person's team": people(".order_by(Person.name, Person.id)"),
    "a function of another name": people(".order_by(func.coalesce(Person.name, '').desc())"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plain_is_fixed_and_says_the_same(name: str, tmp_path: Path) -> None:
    project = Loading(tmp_path, {"service": service(PLAIN[name])})
    before = project.run("service")
    assert not before.startswith("raised"), before
    assert project.findings()
    project.fix(unsafe=True)
    assert project.run("service") == before
    assert [str(finding) for finding in project.findings()] == []
