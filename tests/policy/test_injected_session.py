"""Sessions that no annotation names: given by FastAPI, or known by what they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.project import findings_of

if TYPE_CHECKING:
    from pathlib import Path

    from invoicing.toolkit.policy import PolicyFinding

MAKER = """\
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

maker = async_sessionmaker(create_async_engine("postgresql+asyncpg://"))
"""
TYPED = (
    MAKER + "async def get_db() -> AsyncSession:\n    async with maker() as s:\n        yield s\n"
)
UNTYPED = MAKER + "async def get_db():\n    async with maker() as s:\n        yield s\n"
OTHER = MAKER + "async def get_db():\n    async with httpx.AsyncClient() as s:\n        yield s\n"
HEAD = """\
import asyncio
from typing import Annotated, Any
from fastapi import Depends
from sqlalchemy import select
from app.database import get_db
"""
GATHERS = "    return await asyncio.gather(fetch(db, 1), fetch(db, 2))\n"
TASKS = {
    "by a default": HEAD + "async def f(db=Depends(get_db)):\n" + GATHERS,
    "by name": HEAD + "async def f(*, db=Depends(dependency=get_db)):\n" + GATHERS,
    "beside others": HEAD + "async def f(a, b=1, db=Depends(get_db)):\n" + GATHERS,
    "in Annotated": HEAD + "async def f(db: Annotated[Any, Depends(get_db)]):\n" + GATHERS,
}
USED = HEAD + "async def f(db):\n    await db.execute(select(1))\n" + GATHERS
MODEL = """\
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase): ...
class A(Base):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(primary_key=True)

"""


def shared(tmp_path: Path, database: str, code: str) -> list[PolicyFinding]:
    files = {"app/database.py": database, "app/services/a.py": code}
    return findings_of(tmp_path, files, "shared-session")


@pytest.mark.parametrize("database", [TYPED, UNTYPED], ids=["typed", "untyped"])
@pytest.mark.parametrize("code", TASKS.values(), ids=list(TASKS))
def test_a_session_that_a_dependency_gives_is_known(
    tmp_path: Path, database: str, code: str
) -> None:
    assert shared(tmp_path, database, code)


@pytest.mark.parametrize("code", TASKS.values(), ids=list(TASKS))
def test_what_else_a_dependency_gives_is_none(tmp_path: Path, code: str) -> None:
    assert not shared(tmp_path, OTHER, code)


def test_a_parameter_that_is_given_a_statement_is_a_session(tmp_path: Path) -> None:
    assert shared(tmp_path, TYPED, USED)
    assert not shared(tmp_path, TYPED, USED.replace("await db.execute(select(1))", "db.add(1)"))
    hidden = USED.replace("    await db.execute", "    db = maker()\n    await db.execute")
    assert not shared(tmp_path, TYPED, hidden)


@pytest.mark.parametrize(
    "query",
    ["session.get(cls, id)", "session.query(cls).all()", "session.scalar(select(cls))"],
)
def test_a_query_of_a_model_is_known_by_what_it_asks_for(tmp_path: Path, query: str) -> None:
    method = f"    @classmethod\n    async def one_of(cls, session, id):\n        return {query}\n"
    files = {"app/models/a.py": "from sqlalchemy import select\n" + MODEL + method}
    assert findings_of(tmp_path, files, "no-query-in-models")
    apart = files["app/models/a.py"].replace(query, "session.get(id)")
    assert not findings_of(tmp_path, {"app/models/a.py": apart}, "no-query-in-models")


def test_a_backref_is_reported_as_it_is_written(tmp_path: Path) -> None:
    code = MODEL.replace("mapped_column\n", "backref, mapped_column, relationship\n") + (
        '    bs: Mapped["B"] = relationship(lazy="raise", backref=backref("cust", lazy="joined"))\n'
    )
    findings = findings_of(tmp_path, {"app/models/a.py": code}, "lazy-raise")
    messages = [each.message for each in findings]
    assert 'the backref cust of A.bs has lazy="joined"' in messages
