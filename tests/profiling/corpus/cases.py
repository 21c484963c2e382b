"""How a case is written down: a program, and the findings that are right for it."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import selectinload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Engine


class FromObject(BaseModel):
    """What a program shows of an object."""

    model_config = ConfigDict(from_attributes=True)


Sessions = async_sessionmaker[AsyncSession]
ROOMS = ("outside", "reported", "festival", "airline", "streaming", "campus")


@dataclass(frozen=True)
class Place:
    """What a program works on."""

    engine: AsyncEngine
    sessions: Sessions


@dataclass(frozen=True)
class World(Place):
    """What a program of the second corpus works on.

    Attributes:
        sqlite: another dialect, and without async.
        server: the database of `engine` by psycopg, without async.
        garage: SQLite by aiosqlite, for SQLModel.
        shards: other engines, on the same database.
    """

    sqlite: Engine
    server: Engine
    garage: AsyncEngine
    shards: tuple[AsyncEngine, ...]


@dataclass(frozen=True)
class Case:
    """A program, and the slugs of the findings that are right for it, with their relationships.

    Attributes:
        explain: whether its plans are asked for.
        after: what is done with its result when the recording is over.
        loop: whether it takes the options that its findings name, to be run again with them.
    """

    name: str
    run: Callable[..., Awaitable[Any]]
    expected: frozenset[tuple[str, str | None]]
    explain: bool = False
    after: Callable[[Any], object] | None = None
    loop: bool = False

    @property
    def outside(self) -> bool:
        """Whether it belongs to the second corpus, or to the programs after bug reports."""
        return any(f".{room}." in self.run.__module__ for room in ROOMS)


N = "n-plus-one"
CASES: dict[str, Case] = {}
# SQLAlchemy 2.1 brought it; without it a program that is about it has no case.
CHUNKSIZE = "chunksize" in signature(selectinload).parameters


def wasteful(
    *slugs: str | tuple[str, str | None],
    available: bool = True,
    **options: Any,
) -> Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]]:
    """Register a program that wastes something: each slug, with its relationship if it has one."""

    def register(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        expected = frozenset((slug, None) if isinstance(slug, str) else slug for slug in slugs)
        assert run.__name__ not in CASES
        if available:
            CASES[run.__name__] = Case(run.__name__, run, expected, **options)
        return run

    return register


fine = wasteful()
