"""Allow a kind of finding for a block of code, with a reason.

    with allow("n-plus-one", why="three shelves at the most"):
        titles = [book.title for shelf in shelves for book in shelf.books]

It allows what every statement of was sent within the block. One that allowed nothing is reported:
the waste that it was for is gone.
"""

from __future__ import annotations

from inspect import currentframe
from typing import TYPE_CHECKING, Self

from invoicing.toolkit.profiling.capture.events import captures_here
from invoicing.toolkit.profiling.capture.units import ALLOWED
from invoicing.toolkit.profiling.errors import AllowanceError, UnknownFindingError
from invoicing.toolkit.profiling.findings.registry import SLUGS
from invoicing.toolkit.profiling.statement import Allowance, Caller

if TYPE_CHECKING:
    from contextvars import Token

__all__ = ["allow"]


class allow:  # noqa: N801 -- it reads as a word of its own: with allow(...)
    """A block of code that may waste something; for `with` and for `async with`.

    Args:
        slug: the kind of finding.
        why: the reason, for whoever reads it next.

    Raises:
        UnknownFindingError: there is no such kind.
        AllowanceError: `why` is empty.
    """

    def __init__(self, slug: str, *, why: str) -> None:
        if slug not in SLUGS:
            raise UnknownFindingError(slug, SLUGS)
        if not isinstance(why, str) or not why.strip():
            raise AllowanceError(slug)
        self._slug, self._why = slug, why
        self._tokens: list[Token[tuple[Allowance, ...]]] = []

    def __enter__(self) -> Self:
        return self._enter(2)

    def _enter(self, depth: int) -> Self:
        frame = currentframe()
        for _ in range(depth):
            frame = frame and frame.f_back
        code = frame.f_code if frame is not None else None
        line = frame.f_lineno if frame is not None else 0
        caller = Caller(code.co_filename, line, code.co_qualname) if code is not None else None
        allowance = Allowance(self._slug, self._why, caller)
        for capture in captures_here():
            capture.allowances.append(allowance)
        self._tokens.append(ALLOWED.set((*ALLOWED.get(), allowance)))
        return self

    def __exit__(self, *exc_info: object) -> None:
        ALLOWED.reset(self._tokens.pop())

    async def __aenter__(self) -> Self:
        return self._enter(2)

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__()
