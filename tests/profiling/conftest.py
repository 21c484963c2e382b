"""A small schema of the tests' own, in a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import ForeignKey, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.profiling.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

SHELVES = 3
BOOKS_A_SHELF = 4


class Base(DeclarativeBase):
    pass


class Shelf(Numbered, Base):
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="shelf", lazy="raise")
    labels: Mapped[list[Label]] = relationship(lazy="raise")


class Book(Numbered, Base):
    title: Mapped[str]
    password: Mapped[str | None]
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    shelf: Mapped[Shelf] = relationship(back_populates="books", lazy="raise")


class Label(Base):
    __tablename__ = "label"

    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"), primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


Sessions = async_sessionmaker[AsyncSession]


def shelves() -> list[Shelf]:
    """Return unsaved shelves, each with books and two labels."""
    return [
        Shelf(
            name=f"shelf {number}",
            books=[Book(title=f"book {number}.{n}") for n in range(BOOKS_A_SHELF)],
            labels=[Label(word="old"), Label(word="red")],
        )
        for number in range(SHELVES)
    ]


@pytest.fixture
def sqlite() -> Iterator[Engine]:
    """Yield an engine of another dialect, without async."""
    engine = create_engine("sqlite://")
    yield engine
    engine.dispose()


@pytest.fixture
async def engine(empty_database_url: URL) -> AsyncIterator[AsyncEngine]:
    """Yield an engine on shelves of books."""
    engine = create_async_engine(empty_database_url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add_all(shelves())
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(engine: AsyncEngine) -> Sessions:
    """Return a maker of sessions on it."""
    return async_sessionmaker(engine, expire_on_commit=False)
