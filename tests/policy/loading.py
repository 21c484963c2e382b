"""A project of teams and people whose services are run as they are, and again when fixed."""

from __future__ import annotations

import importlib
import sys
import warnings
from textwrap import indent
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import NullPool, create_engine
from sqlalchemy.orm import Session

from invoicing.toolkit.policy import check, fix

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.toolkit.policy import PolicyFinding

RULES = ["collection-selectin", "single-joined"]
MODELS = """
from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(server_default=text("''"))
    people: Mapped[list["Person"]] = relationship(
        back_populates="team", order_by="Person.id", lazy="raise")

class Ranked(Base):
    __table__ = Team.__table__
    rank: Mapped[int] = column_property(func.count().over())
    people: Mapped[list["Person"]] = relationship(
        viewonly=True, order_by="Person.id", primaryjoin="Ranked.id == Person.team_id",
        foreign_keys="Person.team_id", lazy="raise")

class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped["Team"] = relationship(back_populates="people", lazy="raise")

    @hybrid_property
    def shout(self):
        return self.name + "!"

class Numbered(Base):
    __tablename__ = "numbered"
    id: Mapped[int] = mapped_column(primary_key=True)
    members: Mapped[list["Member"]] = relationship(lazy="raise", order_by="Member.id")

    @hybrid_property
    def number(self):
        return self.id

    @number.expression
    def number(cls):
        return func.count().over()

class Member(Base):
    __tablename__ = "member"
    id: Mapped[int] = mapped_column(primary_key=True)
    numbered_id: Mapped[int] = mapped_column(ForeignKey("numbered.id"))

def rows():
    for n in range(1, 5):
        people = [Person(id=10 * n + k, name=f"p{k}") for k in range(n)]
        yield Team(id=n, name=f"t{n}", people=people)
        yield Numbered(id=n, members=[Member(id=10 * n + k) for k in range(n)])
"""
PARTS = """
from sqlalchemy import func, text
EVERY = func.count().over()
ORDER = text("name")

def counted(statement):
    return statement.add_columns(func.count().over())

def ordered(statement):
    return statement.order_by(text("name"))

def numbered():
    return func.row_number().over()
"""
OPTIONS = """
from sqlalchemy.orm import joinedload as jl, selectinload as sl
load = jl
"""
HEAD = """
import sqlalchemy as sa
from sqlalchemy import (
    and_, case, column, desc, distinct, func, literal_column, or_, over, select, text)
from sqlalchemy.orm import Load, aliased, joinedload, selectinload
from {app}.models import Member, Numbered, Person, Ranked, Team
"""


def service(body: str, before: str = "", head: str = HEAD) -> str:
    """Return a module whose `run` has this body."""
    return f"{head}{before}\ndef run(s):\n{indent(body, '    ')}\n"


class Loading:
    """A project in a folder, under a name of its own."""

    def __init__(self, folder: Path, services: dict[str, str]) -> None:
        self.root = folder
        self.app = f"loading_{uuid4().hex[:8]}"
        package = folder / self.app
        package.mkdir()
        (folder / "pyproject.toml").write_text("")
        files = {"__init__": "", "models": MODELS, "parts": PARTS, "options": OPTIONS} | services
        for name, text in files.items():
            (package / f"{name}.py").write_text(text.replace("{app}", self.app))

    def text(self, name: str) -> str:
        """Return what a service is."""
        return (self.root / self.app / f"{name}.py").read_text()

    def findings(self) -> list[PolicyFinding]:
        """Return what the rules of loaders find."""
        report = check([self.root / self.app], root=self.root, select=RULES, processes=1)
        assert not report.problems
        return report.findings

    def fix(self, *, unsafe: bool) -> None:
        """Make the fixes."""
        fix(self.root, self.findings(), unsafe=unsafe)

    def run(self, name: str) -> str:
        """Run a service on rows of its own; return what it says, or its error."""
        importlib.invalidate_caches()
        for module in [each for each in sys.modules if each.partition(".")[0] == self.app]:
            del sys.modules[module]
        sys.path.insert(0, str(self.root))
        sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
        try:
            return self._said(importlib.import_module(f"{self.app}.{name}"))
        finally:
            sys.dont_write_bytecode = kept
            sys.path.remove(str(self.root))

    def _said(self, module: Any) -> str:
        models = sys.modules[f"{self.app}.models"]
        # Closed with its connection: a pool would leave that to the garbage collection.
        engine = create_engine("sqlite://", poolclass=NullPool)
        with warnings.catch_warnings(), engine.connect() as connection:
            warnings.simplefilter("ignore")
            models.Base.metadata.create_all(connection)
            with Session(connection) as session:
                session.add_all(models.rows())
                session.commit()
            with Session(connection) as session:
                try:
                    return repr(module.run(session))
                except Exception as error:  # noqa: BLE001 -- it is what the program says
                    return f"raised {type(error).__name__}: {error}"
