"""Faults as people write them, each with a clean twin: the rule, the fault, the twin."""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple

from tests.policy.project import MODELS

HANDLER = """\
import asyncio
from typing import Annotated, Optional, Union
from collections.abc import AsyncIterator
from functools import partial
from fastapi import Depends
from sqlalchemy import select, insert, update, delete, text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session
from app.models import Account, Invoice
from app.services import find, change, other
"""
MODEL = """\
import datetime as dt
from datetime import datetime
from decimal import Decimal
import sqlalchemy as sa
from sqlalchemy import Column, Float, ForeignKey, DateTime, Integer, Numeric, String, BigInteger
from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncAttrs, async_object_session
from sqlalchemy.orm import DynamicMapped, WriteOnlyMapped, declared_attr, registry
from sqlalchemy.orm import object_session
from app.base import Base, Mapped, TimeStampedMixin, mapped_column, relationship
"""
LOADER = """\
from sqlalchemy import select
from sqlalchemy.orm import Load, defaultload, joinedload, lazyload, noload, raiseload, selectinload
from sqlalchemy.orm import subqueryload
from app.models import Account, Invoice, Line, Eager
"""
# Relationships that nothing annotates, and one that loads by default.
MORE_MODELS = """
from sqlalchemy import ForeignKey
class Line(TimeStampedMixin, Base):
    __tablename__ = "line"
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    invoice = relationship("Invoice", lazy="raise")
class Eager(TimeStampedMixin, Base):
    __tablename__ = "eager"
    lines: Mapped[list[Line]] = relationship(lazy="joined")
    quiet: Mapped[list[Line]] = relationship(lazy="raise")
Invoice.lines = relationship("Line", lazy="raise")
"""


class Planted(NamedTuple):
    """A fault and its twin: the files of two small projects."""

    rule: str
    fault: dict[str, str]
    twin: dict[str, str]


PLANTED: dict[str, Planted] = {}


def plant(rule: str, name: str, fault: str, twin: str, place: str = "", before: str = "") -> None:
    """Add a fault and its twin, by the kind of file its rule is about."""
    kinds = {
        "handler": ("app/handlers.py", HANDLER, {"app/models.py": MODELS}),
        "service": ("app/services/work.py", HANDLER, {"app/models.py": MODELS}),
        "model": ("app/models.py", MODEL, {}),
        "loader": ("app/services/load.py", LOADER, {"app/models.py": MODELS + MORE_MODELS}),
        "session": ("app/db/session.py", HANDLER, {}),
    }
    path, head, more = kinds[place or PLACES[rule]]
    written = [{**more, path: head + dedent(before) + dedent(text)} for text in (fault, twin)]
    PLANTED[f"{rule}: {name}"] = Planted(rule, *written)


OUTSIDE, SHARED, ASYNC = "query-outside-services", "shared-session", "async-only"
EXPIRE, LAZY, BASE = "expire-on-commit", "lazy-raise", "base-and-timestamps"
MANY, SINGLE, IN_MODELS = "collection-selectin", "single-joined", "no-query-in-models"
MAPPED, MONEY, AWARE = "mapped-annotation", "exact-money", "aware-datetimes"
PLACES = {
    OUTSIDE: "handler", SHARED: "service", ASYNC: "service", EXPIRE: "session", LAZY: "model",
    BASE: "model", MANY: "loader", SINGLE: "loader", IN_MODELS: "model", MAPPED: "model",
    MONEY: "model", AWARE: "model",
}  # fmt: skip

# A handler that is given a session, in whatever way, queries; its twin asks a service.
ASKS, CALLS = "return await {}.get(Invoice, 1)", "return await find({})"
GIVEN = {
    "Annotated": "session: Annotated[AsyncSession, Depends(other)]",
    "an optional": "session: Optional[AsyncSession] = None",
    "a union": "session: Union[AsyncSession, None] = None",
    "or None": "session: AsyncSession | None = None",
    "a quoted union": 'session: "AsyncSession | None" = None',
    "Annotated or None": "session: Annotated[AsyncSession | None, Depends(other)] = None",
    "keyword only": "*, session: Annotated[AsyncSession, Depends(other)]",
}
for label, parameter in GIVEN.items():
    work = f"async def f({parameter}):\n    "
    plant(OUTSIDE, label, work + ASKS.format("session"), work + CALLS.format("session"))
ALIAS = "SessionDep = Annotated[AsyncSession, Depends(other)]\n"
SUBCLASS = "class Tenant(AsyncSession): ...\n"
for label, before, parameter in (
    ("an alias", ALIAS, "session: SessionDep"),
    ("a subclass", SUBCLASS, "session: Tenant"),
    ("a subclass in Annotated", SUBCLASS, "session: Annotated[Tenant, Depends(other)]"),
):
    work = f"async def f({parameter}):\n    "
    plant(OUTSIDE, label, work + ASKS.format("session"), work + CALLS.format("session"), "", before)
OWNERS = {
    "self by its constructor": "class A:\n    def __init__(self, session: AsyncSession):\n"
    "        self.session = session\n",
    "self by an annotation": "class A:\n    def __init__(self, given):\n"
    "        self.session: AsyncSession = given\n",
    "self by the class": "class A:\n    session: AsyncSession\n",
    "self by a base": "class Handler:\n    def __init__(self, s: AsyncSession | None):\n"
    "        self.session = s\nclass A(Handler):\n",
}
for label, owner in OWNERS.items():
    work = f"{owner}    async def f(self):\n        "
    plant(OUTSIDE, label, work + ASKS.format("self.session"), work + CALLS.format("self.session"))
MADE = {
    "a function's session": "async def get() -> AsyncSession: ...\nasync def f():\n"
    "    session = await get()\n    ",
    "a generator's session": "async def get() -> AsyncIterator[AsyncSession]: ...\n"
    "async def f():\n    async with get() as session:\n        ",
    "another name for it": "async def f(session: AsyncSession):\n    s = session\n    session = s\n"
    "    ",
    "a closure": "def outer(session: AsyncSession):\n    async def f():\n        ",
    "a sessionmaker of self": "class A:\n    def __init__(self):\n"
    "        self.sessions = async_sessionmaker()\n    async def f(self):\n"
    "        async with self.sessions() as session:\n            ",
    "a sessionmaker begun": "sessions = async_sessionmaker()\nasync def f():\n"
    "    async with sessions.begin() as session:\n        ",
}
for label, work in MADE.items():
    plant(OUTSIDE, label, work + ASKS.format("session"), work + CALLS.format("session"))
plant(
    OUTSIDE,
    "a connection of an engine",
    "engine = create_async_engine('x')\nasync def f():\n    async with engine.begin() as c:\n"
    "        await c.execute(STATEMENT)\n",
    "async def f(robot):\n    async with robot.begin() as c:\n        await c.execute(COMMAND)\n",
)
plant(
    OUTSIDE,
    "a statement bound first",
    "async def f(self):\n    q = select(Invoice)\n    q = q.where(Invoice.id == 1)\n"
    "    return await self.db.execute(q)\n",
    "async def f(self):\n    q = ask()\n    q = q.where(1)\n    return await self.web.execute(q)\n",
)
plant(
    OUTSIDE,
    "a statement bound in the module",
    "Q = select(Invoice)\nasync def f(self):\n    return await self.db.scalars(Q)\n",
    "Q = make()\nasync def f(self):\n    return await self.robot.execute(Q)\n",
)
for method in ("add(Invoice())", "add_all([Invoice()])", "delete(x)", "merge(x)"):
    call = f"session.{method}"
    call = call if "add" in method else f"await {call}"
    plant(
        OUTSIDE,
        f"a write by {method}",
        f"async def f(session: AsyncSession, x):\n    {call}\n",
        f"async def f(things: set, x):\n    await change(x)\n    things.{method}\n",
    )
plant(
    OUTSIDE,
    "a query in run_sync",
    "async def f(s: AsyncSession):\n    return await s.run_sync(lambda t: t.get(Invoice, 1))\n",
    "async def f(s: AsyncSession):\n    return await s.run_sync(lambda t: find(t, 1))\n",
)

plant(
    ASYNC,
    "a sync session as parameter",
    "def f(session: Session):\n    return find(session)\n",
    "async def f(session: AsyncSession):\n    return await find(session)\n",
)
plant(
    ASYNC,
    "a sync session in Annotated",
    "def f(session: Annotated[Session, Depends(other)]):\n    return find(session)\n",
    "def f(s: Session):\n    return find(s)\nasync def g(a: AsyncSession):\n"
    "    return await a.run_sync(f)\n",
)
plant(
    ASYNC,
    "a sync session beside a listener",
    "def f(session: Session):\n    return find(session)\nevent.listen(Session, 'x', g)\n",
    "@event.listens_for(Session, 'after_begin')\ndef f(session: Session, *more): ...\n"
    "def g(session: Session, *more): ...\nevent.listen(Session, 'after_commit', g)\n",
    "",
    "from sqlalchemy import event\n",
)
plant(
    ASYNC,
    "a legacy query in run_sync",
    "async def f(s: AsyncSession):\n    return await s.run_sync(lambda t: t.query(Invoice))\n",
    "async def f(s: AsyncSession):\n    return await s.run_sync(lambda t: t.scalars(Q))\n",
)
plant(
    ASYNC,
    "a legacy query of self",
    "class A:\n    def __init__(self, session: AsyncSession):\n        self.session = session\n"
    "    def f(self):\n        return self.session.query(Invoice)\n",
    "class A:\n    def __init__(self, client):\n        self.session = client\n"
    "    def f(self):\n        return self.session.query('x')\n",
)

EACH = "async with asyncio.TaskGroup() as group:\n"
FAULTS = {
    "a task group in a loop": (
        f"{EACH}        for x in xs:\n            group.create_task(find(session, x))",
        f"{EACH}        for x in xs:\n            group.create_task(find(x))",
    ),
    "coroutines gathered later": (
        "todo = [find(session, x) for x in xs]\n    await asyncio.gather(*todo)",
        "todo = [find(x) for x in xs]\n    await asyncio.gather(*todo)",
    ),
    "coroutines appended": (
        (
            "todo = []\n    for x in xs:\n        todo.append(find(session, x))\n"
            "    await asyncio.gather(*todo)"
        ),
        "todo = []\n    todo.append(find(session, 1))\n    await asyncio.gather(*todo)",
    ),
    "coroutines with names": (
        "a = find(session)\n    b = other(session)\n    await asyncio.gather(a, b)",
        "a = await find(session)\n    b = await other(session)\n    await asyncio.gather(c(), d())",
    ),
    "a list written out": (
        "todo = [find(session), other(session)]\n    await asyncio.gather(*todo)",
        "todo = [find(session), other()]\n    await asyncio.gather(*todo)",
    ),
    "mapped": (
        "await asyncio.gather(*map(partial(find, session), xs))",
        "await asyncio.gather(*map(partial(find, pool), xs))",
    ),
    "mapped by a lambda": (
        "await asyncio.gather(*map(lambda x: find(session, x), xs))",
        "await asyncio.gather(*map(lambda x: find(x), xs))",
    ),
    "as they complete": (
        "for c in asyncio.as_completed([find(session, x) for x in xs]):\n        await c",
        "for x in xs:\n        await find(session, x)",
    ),
    "tasks waited for": (
        (
            "a = asyncio.create_task(find(session))\n    b = asyncio.create_task(other(session))\n"
            "    await asyncio.wait([a, b])"
        ),
        (
            "a = asyncio.create_task(find(session))\n    await a\n"
            "    b = asyncio.create_task(other(session))\n    await b"
        ),
    ),
    "futures": (
        "asyncio.ensure_future(find(session))\n    asyncio.ensure_future(other(session))",
        "asyncio.ensure_future(find(session))\n    asyncio.ensure_future(other())",
    ),
    "a nursery in a loop": (
        "async with trio() as n:\n        for x in xs:\n            n.start_soon(find, session, x)",
        "async with trio() as n:\n        for x in xs:\n            n.start_soon(find, x)",
    ),
    "a task in a loop": (
        "for x in xs:\n        asyncio.create_task(find(session, x))",
        "for x in xs:\n        await asyncio.create_task(find(session, x))",
    ),
}
for label, (fault, twin) in FAULTS.items():
    head = "async def f(session: Annotated[AsyncSession, Depends(other)], xs):\n    "
    plant(SHARED, label, head + fault, head + twin)
OWNED = "class A:\n    def __init__(self, session: AsyncSession):\n        self.session = session\n"
OWNED += "    async def a(self):\n        return await self.session.get(Invoice, 1)\n"
OWNED += "    async def b(self):\n        return await find(self.session)\n"
OWNED += "    async def c(self):\n        return 1\n    async def f(self):\n        "
plant(
    SHARED,
    "the same attribute",
    f"{OWNED}await asyncio.gather(self.session.get(Invoice, 1), self.session.get(Invoice, 2))\n",
    f"{OWNED}await asyncio.gather(self.robot.get(Invoice, 1), self.robot.get(Invoice, 2))\n",
)
plant(
    SHARED,
    "methods that share it",
    f"{OWNED}await asyncio.gather(self.a(), self.b())\n",
    f"{OWNED}await asyncio.gather(self.a(), self.c())\n",
)

for label, made in {
    "a sessionmaker": "sessions = async_sessionmaker(engine{})",
    "a session": "session = AsyncSession(engine{})",
    "in a function": "def make(engine):\n    return async_sessionmaker(bind=engine{})",
}.items():
    plant(EXPIRE, label, made.format(""), made.format(", expire_on_commit=False"))
plant(
    EXPIRE,
    "said to be true",
    "s = async_sessionmaker(engine, expire_on_commit=True)",
    "HOW = {'expire_on_commit': False}\ns = async_sessionmaker(engine, **HOW)",
)
MADE = "from sqlalchemy.orm import sessionmaker\n"
for label, given in (("written", "expire_on_commit={}"), ("a dict", "**HOW")):
    text = f"HOW = dict(expire_on_commit={{}})\ns = sessionmaker(e, class_=AsyncSession, {given})"
    plant(
        EXPIRE,
        f"a sessionmaker of async sessions, {label}",
        text.replace("{}", "True"),
        text.replace("{}", "False"),
        before=MADE,
    )
plant(
    ASYNC,
    "a sessionmaker of sessions that block",
    "s = sessionmaker(engine, class_=Session, expire_on_commit=False)",
    "s = sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)",
    "session",
    MADE,
)
