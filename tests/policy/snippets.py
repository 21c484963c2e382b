"""For each rule, forms that break it and forms that only look like it."""

from __future__ import annotations

from collections import ChainMap
from importlib import import_module
from pathlib import Path

from tests.policy.planted_flow import PLANTED
from tests.policy.project import MODELS

HEAD = "from app.base import Base, Mapped, TimeStampedMixin, mapped_column, relationship\n"
MODEL = HEAD + 'class A(TimeStampedMixin, Base):\n    __tablename__ = "a"\n'
# A model; what follows is in its body.
MAPPED = HEAD + "class A(Base):\n    __tablename__ = 'a'\n"
QUERY = "from sqlalchemy import select\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
OPTIONS = (
    "from sqlalchemy import orm, select\n"
    "from sqlalchemy.orm import Load, aliased, contains_eager, joinedload, lazyload\n"
    "from sqlalchemy.orm import raiseload, selectinload, subqueryload\n"
    "from app.models import Account, Invoice\n"
)


def model(body: str, before: str = "", name: str = "app/models.py") -> dict[str, str]:
    """Return a project of one model with this body."""
    return {name: before + MODEL + "".join(f"    {line}\n" for line in body.splitlines())}


def options(text: str, before: str = "") -> dict[str, str]:
    """Return a project of models, and a service with these loader options."""
    return {"app/models.py": MODELS, "app/services.py": OPTIONS + before + text + "\n"}


def code(text: str, name: str = "app/handlers.py") -> dict[str, str]:
    """Return a project of one file."""
    return {name: text}


BAD: dict[str, dict[str, dict[str, str]]] = {
    "lazy-raise": {
        "no lazy": model('b: Mapped["B"] = relationship(back_populates="a")'),
        "another lazy": model('b: Mapped["B"] = relationship(lazy="selectin")'),
        "select": model('b: Mapped["B"] = relationship(lazy="select")'),
        "old style": model('b = relationship("B")'),
        "by another name": model("b = rel()", "from sqlalchemy.orm import relationship as rel\n"),
        "through the module": model("b = orm.relationship()", "from sqlalchemy import orm\n"),
        "re-exported": {
            "app/tools.py": "from sqlalchemy.orm import relationship as link\n",
            **model("b = link('B')", "from app.tools import link\n"),
        },
        "by a star": {
            "app/tools.py": "from sqlalchemy.orm import relationship\n",
            "app/models.py": "from app.tools import *\nclass A:\n    b = relationship('B')\n",
        },
        "by a constant": model("b = relationship(lazy=LAZY)", 'LAZY = "select"\n'),
        "by a constant elsewhere": {
            "app/constants.py": 'LAZY = "joined"\n',
            **model("b = relationship(lazy=LAZY)", "from app.constants import LAZY\n"),
        },
        "by an expansion": model("b = relationship(**HOW)", 'HOW = {"lazy": "joined"}\n'),
        "by an expansion without it": model("b = relationship(**HOW)", 'HOW = {"uselist": True}\n'),
        "by a partial": model(
            "b = many()",
            "from functools import partial\nfrom sqlalchemy.orm import relationship\n"
            "many = partial(relationship, uselist=True)\n",
        ),
        "in a mixin": {
            "app/models.py": HEAD + "class HasB:\n    b: Mapped['B'] = relationship()\n"
        },
        "by declared_attr": {
            "app/models.py": "from sqlalchemy.orm import declared_attr\n"
            + HEAD
            + "class HasB:\n    @declared_attr\n    def b(cls) -> Mapped['B']:\n"
            "        return relationship('B')\n"
        },
        "a dataclass's field": model('b: Mapped["B"] = relationship(default=None, init=False)'),
        "after the class": {"app/models.py": MODEL + "A.b = relationship('B')\n"},
        "a backref by name": model('b = relationship("B", lazy="raise", backref="a")'),
        "a backref of its own": model(
            'b = relationship("B", lazy="raise", backref=backref("a", lazy="joined"))',
            "from sqlalchemy.orm import backref\n",
        ),
    },
    "base-and-timestamps": {
        "without the mixin": {"app/models.py": HEAD + 'class A(Base):\n    __tablename__ = "a"\n'},
        "without the base": {
            "app/models.py": HEAD + "from sqlalchemy.orm import DeclarativeBase\n"
            "class Other(DeclarativeBase):\n    pass\n"
            'class A(TimeStampedMixin, Other):\n    __tablename__ = "a"\n'
        },
        "by inheritance without it": {
            "app/models.py": HEAD + "class A(Base):\n    __abstract__ = True\n"
            'class B(A):\n    __tablename__ = "b"\n'
        },
        "single-table inheritance": {
            "app/models.py": HEAD + 'class A(Base):\n    __tablename__ = "a"\n'
            "class B(TimeStampedMixin, A):\n    pass\n"
        },
        "an old base": {
            "app/models.py": "from sqlalchemy.orm import declarative_base\n"
            "Model = declarative_base()\nclass A(Model):\n    __tablename__ = 'a'\n"
        },
        "mapped by a decorator": {
            "app/models.py": "from sqlalchemy.orm import registry\nreg = registry()\n"
            "@reg.mapped_as_dataclass\nclass A:\n    __tablename__ = 'a'\n"
        },
    },
    "async-only": {
        "an engine": code("from sqlalchemy import create_engine\ne = create_engine('x')\n"),
        "an engine by its module": code("import sqlalchemy as sa\ne = sa.create_engine('x')\n"),
        "a session": code("from sqlalchemy.orm import Session\ns = Session(e)\n"),
        "a sessionmaker": code("from sqlalchemy.orm import sessionmaker\ns = sessionmaker(e)\n"),
        "a legacy query": code(
            "from sqlalchemy.orm import Session\n"
            "def f(session: Session):\n    return session.query(A).all()\n"
        ),
        "a driver": code("import psycopg2\n"),
        "an async session made elsewhere": code(
            "from sqlalchemy.ext.asyncio import AsyncSession\ns = AsyncSession(e)\n"
        ),
        "an async engine made elsewhere": code(
            "from sqlalchemy.ext.asyncio import create_async_engine\ne = create_async_engine('x')\n"
        ),
    },
    "collection-selectin": {
        "joined": options("q = select(Account).options(joinedload(Account.invoices))"),
        "an optional list": options("q = joinedload(Account.history)"),
        "many-to-many": options("q = joinedload(Invoice.tags)"),
        "by a subquery": options("q = subqueryload(Account.invoices)"),
        "lazy": options("q = lazyload(Account.invoices)"),
        "chained": options("q = joinedload(Invoice.account).joinedload(Account.invoices)"),
        "by the module": options("q = orm.joinedload(Account.invoices)"),
        "of an alias": options("q = joinedload(a.invoices)", "a = aliased(Account)\n"),
        "of a type": options("q = joinedload(Account.invoices.of_type(Invoice))"),
        "filtered": options("q = joinedload(Account.invoices.and_(Invoice.id > 1))"),
        "from Load": options("q = Load(Account).joinedload(Account.invoices)"),
        "in a helper": options("def how():\n    return [joinedload(Account.invoices)]"),
        "after a name": options(
            "def f():\n    o = joinedload(Invoice.account)\n"
            "    return o.joinedload(Account.invoices)"
        ),
        "inherited": {
            "app/models.py": MODELS + "class Big(Account):\n    pass\n",
            "app/services.py": OPTIONS
            + "from app.models import Big\nq = joinedload(Big.invoices)\n",
        },
    },
    "single-joined": {
        "selected in": options("q = select(Invoice).options(selectinload(Invoice.account))"),
        "an optional object": options("q = selectinload(Invoice.payer)"),
        "by uselist": options("q = subqueryload(Invoice.owner)"),
        "chained": options("q = selectinload(Account.invoices).selectinload(Invoice.account)"),
    },
    "no-query-in-models": {
        "a session's query": code(
            QUERY + MAPPED + "    async def f(self, session: AsyncSession):\n"
            "        return await session.scalar(select(1))\n",
            "app/models.py",
        ),
        "its own session": code(
            "from sqlalchemy.orm import object_session\n"
            + MAPPED
            + "    def f(self):\n        return object_session(self)\n",
            "app/models/a.py",
        ),
        "by what is executed": code(
            QUERY + MAPPED + "    async def f(self):\n"
            "        return await self.s.execute(select(A).where(A.x == 1))\n",
            "app/models.py",
        ),
    },
    "query-outside-services": {
        "a parameter": code(
            QUERY + "async def f(session: AsyncSession):\n"
            "    return await session.scalars(STATEMENT)\n"
        ),
        "a string annotation": code(
            QUERY + 'async def f(session: "AsyncSession"):\n    return await session.get(A, 1)\n'
        ),
        "from a sessionmaker": code(
            "from sqlalchemy.ext.asyncio import async_sessionmaker\n"
            "sessions = async_sessionmaker(e)\nasync def f():\n"
            "    async with sessions() as session:\n        await session.execute(STATEMENT)\n"
        ),
        "an attribute": code(
            QUERY + "async def f(self):\n    return await self.db.scalars(select(A).limit(1))\n"
        ),
        "text": code(
            "from sqlalchemy import text\nasync def f(c):\n    await c.execute(text('SELECT 1'))\n"
        ),
    },
    "shared-session": {
        "gathered": code(
            "import asyncio\n" + QUERY + "async def f(session: AsyncSession):\n"
            "    await asyncio.gather(a(session), b(session))\n",
            "app/services.py",
        ),
        "its own methods": code(
            "from asyncio import gather\n" + QUERY + "async def f(session: AsyncSession):\n"
            "    await gather(session.scalar(A), session.scalar(B))\n",
            "app/services.py",
        ),
        "for each of many": code(
            "import asyncio\n" + QUERY + "async def f(session: AsyncSession, many):\n"
            "    await asyncio.gather(*(a(session, item) for item in many))\n",
            "app/services.py",
        ),
        "by keyword": code(
            "import asyncio\n" + QUERY + "async def f(s: AsyncSession):\n"
            "    await asyncio.gather(a(session=s), b(session=s))\n",
            "app/services.py",
        ),
        "in a task group": code(
            "import asyncio\n" + QUERY + "async def f(session: AsyncSession):\n"
            "    async with asyncio.TaskGroup() as tasks:\n"
            "        tasks.create_task(a(session))\n        tasks.create_task(b(session))\n",
            "app/services.py",
        ),
    },
    "unused-suppression": {
        "nothing to allow": model("x = 1  # policy: allow lazy-raise -- old"),
        "no reason": model("b = relationship()  # policy: allow lazy-raise"),
    },
}

GOOD: dict[str, dict[str, dict[str, str]]] = {
    "lazy-raise": {
        "raise": model('b: Mapped["B"] = relationship(lazy="raise")'),
        "by a constant": model("b = relationship(lazy=LAZY)", 'LAZY = "raise"\n'),
        "by an expansion": model("b = relationship(**HOW)", 'HOW = {"lazy": "raise"}\n'),
        "by a partial": model(
            "b = many()",
            "from functools import partial\nfrom sqlalchemy.orm import relationship\n"
            'many = partial(relationship, lazy="raise")\n',
        ),
        "a write-only relationship": model('b: WriteOnlyMapped["B"] = relationship()'),
        "of another library": {
            "app/graph.py": "from graphs import relationship\nclass A:\n    b = relationship()\n"
        },
        "a function of its own": {
            "app/graph.py": "def relationship(): ...\nclass A:\n    b = relationship()\n"
        },
        "a backref that raises": model(
            'b = relationship("B", lazy="raise", backref=backref("a", lazy="raise"))',
            "from sqlalchemy.orm import backref\n",
        ),
        "said to be allowed": model("b = relationship()  # policy: allow lazy-raise -- legacy"),
        "allowed above": model("# policy: allow lazy-raise -- legacy\nb = relationship()"),
    },
    "base-and-timestamps": {
        "both": model("x = 1"),
        "by inheritance across files": {
            "app/common.py": HEAD
            + "class Model(TimeStampedMixin, Base):\n    __abstract__ = True\n",
            "app/models.py": "from .common import Model\n"
            "class A(Model):\n    __tablename__ = 'a'\n",
        },
        "an abstract class": {"app/models.py": HEAD + "class A(Base):\n    __abstract__ = True\n"},
        "a base that names tables": code(
            "from sqlalchemy.orm import DeclarativeBase, declared_attr\n"
            "class Root(DeclarativeBase):\n    @declared_attr.directive\n"
            "    def __tablename__(cls):\n        return cls.__name__\n"
        ),
        "a mixin": {"app/models.py": HEAD + "class HasName:\n    name: Mapped[str]\n"},
        "an association table": {
            "app/models.py": HEAD + "from sqlalchemy import Table\nt = Table('t', Base.metadata)\n"
        },
        "no model at all": code("class A:\n    x = 1\n"),
    },
    "async-only": {
        "in the session module": code(
            "from sqlalchemy.ext.asyncio import create_async_engine\n"
            "e = create_async_engine('x')\n",
            "app/db/session.py",
        ),
        "another session": code("import requests\ns = requests.Session()\ns.query('x')\n"),
        "an annotation": code(QUERY + "async def f(session: AsyncSession): ...\n"),
    },
    "collection-selectin": {
        "selected in": options("q = selectinload(Account.invoices)"),
        "contains_eager": options("q = contains_eager(Account.invoices)"),
        "raised": options("q = raiseload(Account.invoices)"),
        "a single object": options("q = joinedload(Invoice.account)"),
        "what nothing tells of": options("q = joinedload(Invoice.unknown)"),
        "of another class": options(
            "q = joinedload(Elsewhere.things)", "from x import Elsewhere\n"
        ),
        "of another library": {
            "app/models.py": MODELS,
            "app/services.py": "from django_like import joinedload\n"
            "from app.models import Account\n"
            "q = joinedload(Account.invoices)\n",
        },
    },
    "single-joined": {
        "joined": options("q = joinedload(Invoice.account)"),
        "a collection": options("q = selectinload(Account.invoices)"),
        "contains_eager": options("q = contains_eager(Invoice.account)"),
        "what nothing tells of": options("q = selectinload(Invoice.unknown)"),
    },
    "no-query-in-models": {
        "a hybrid expression": code(
            QUERY + MAPPED + "    @total.expression\n    def total(cls):\n"
            "        return select(B.x).where(B.a == cls.id).scalar_subquery()\n",
            "app/models.py",
        ),
        "a column_property": code(
            QUERY
            + "from sqlalchemy.orm import column_property\n"
            + MAPPED
            + "    n = column_property(select(B.x).scalar_subquery())\n",
            "app/models.py",
        ),
        "a dictionary's get": code(
            MAPPED + "    def f(self, d: dict):\n        return d.get(1)\n", "app/models.py"
        ),
    },
    "query-outside-services": {
        "in a service": code(
            QUERY + "async def f(session: AsyncSession):\n    return await session.scalars(S)\n",
            "app/services/a.py",
        ),
        "a call of a service": code(
            QUERY + "async def f(session: AsyncSession):\n    return await list_all(session)\n"
        ),
        "another session": code(
            "import aiohttp\nasync def f(session: aiohttp.ClientSession):\n"
            "    return await session.get('x')\n"
        ),
        "another execute": code("def f(task):\n    task.execute('x')\n    task.scalars()\n"),
    },
    "shared-session": {
        "a session each": code(
            "import asyncio\n" + QUERY + "async def f(many):\n"
            "    await asyncio.gather(*(a(item) for item in many))\n",
            "app/services.py",
        ),
        "two sessions": code(
            "import asyncio\n" + QUERY + "async def f(first: AsyncSession, second: AsyncSession):\n"
            "    await asyncio.gather(a(first), b(second))\n",
            "app/services.py",
        ),
        "one after the other": code(
            QUERY + "async def f(session: AsyncSession):\n"
            "    await a(session)\n    await b(session)\n",
            "app/services.py",
        ),
    },
    "unused-suppression": {
        "needed": model("b = relationship()  # policy: allow lazy-raise -- legacy"),
        "in a text": model('x = "# policy: allow lazy-raise"'),
    },
}

# Each rule may have a file of cases, named after it.
_files = sorted(Path(__file__).with_name("rules").glob("[!_]*.py"))
_cases = [import_module(f"tests.policy.rules.{file.stem}").PLANTED for file in _files]
for _name, (_rule, _fault, _twin) in ChainMap(PLANTED, *_cases).items():
    BAD.setdefault(_rule, {})[_name] = _fault
    GOOD.setdefault(_rule, {})[f"{_name} (twin)"] = _twin
