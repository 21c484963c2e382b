"""How a case is written down: a program, and the findings that are right for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Sessions = async_sessionmaker[AsyncSession]


@dataclass(frozen=True)
class Place:
    """What a program works on."""

    engine: AsyncEngine
    sessions: Sessions


Program = "Callable[[Place], Awaitable[object]]"


@dataclass(frozen=True)
class Case:
    """A program, and the slugs of the findings that are right for it, with their relationships."""

    name: str
    run: Callable[[Place], Awaitable[object]]
    expected: frozenset[tuple[str, str | None]]


CASES: dict[str, Case] = {}


def wasteful(
    *slugs: str | tuple[str, str | None],
) -> Callable[[Callable[[Place], Awaitable[object]]], Callable[[Place], Awaitable[object]]]:
    """Register a program that wastes something: each slug, with its relationship if it has one."""

    def register(
        run: Callable[[Place], Awaitable[object]],
    ) -> Callable[[Place], Awaitable[object]]:
        expected = frozenset((one, None) if isinstance(one, str) else one for one in slugs)
        assert run.__name__ not in CASES
        CASES[run.__name__] = Case(run.__name__, run, expected)
        return run

    return register


fine = wasteful()
