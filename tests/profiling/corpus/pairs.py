"""How programs of a batch on a server are written down: a wasteful one with its correction."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from tests.profiling.corpus.cases import wasteful

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.profiling.corpus.cases import World

    Program = Callable[[World], Awaitable[Any]]

# The corrected form of each, and what the first run of each program answered.
PAIRS: dict[str, str] = {}
ANSWERS: dict[str, object] = {}


def register(program: Program, *slugs: str | tuple[str, str | None]) -> None:
    @wraps(program)
    async def run(world: World) -> Any:
        answer = await program(world)
        ANSWERS.setdefault(program.__name__, answer)
        return answer

    wasteful(*slugs)(run)


def paired(corrected: Program, *slugs: str | tuple[str, str | None]) -> Callable[..., Program]:
    """Register a wasteful program and its corrected form, which is clean and answers the same."""

    def pair(program: Program) -> Program:
        register(program, *slugs)
        register(corrected)
        PAIRS[program.__name__] = corrected.__name__
        return program

    return pair
