"""How programs after bug reports are written down: on SQLite, wasteful ones with a correction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from tests.profiling.corpus.cases import wasteful

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.profiling.corpus.cases import World

    Program = Callable[[Session], Any]


@dataclass(frozen=True)
class Pair:
    """A wasteful program of the batch, and what its author would write instead."""

    wasteful: Program
    corrected: Program


PAIRS: dict[str, Pair] = {}


def register(program: Program, *slugs: str | tuple[str, str | None]) -> None:
    @wraps(program)
    async def run(world: World) -> Any:
        with Session(world.sqlite) as session:
            try:
                return program(session)
            finally:
                session.rollback()

    wasteful(*slugs)(run)


def reported(corrected: Program, *slugs: str | tuple[str, str | None]) -> Callable[..., Program]:
    """Register a wasteful program and its corrected form, which is clean and answers the same."""

    def pair(program: Program) -> Program:
        register(program, *slugs)
        register(corrected)
        PAIRS[program.__name__] = Pair(program, corrected)
        return program

    return pair


def clean(program: Program) -> Program:
    """Register a program that only seems to waste something."""
    register(program)
    return program
