"""Let what a pool of threads is given be recorded by whoever gives it.

A thread of a `ThreadPoolExecutor` has a context of its own, made when the pool was; the work that
comes to it belongs to the block that submits it. `asyncio.to_thread` hands its own on by itself.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import ContextVar


class Pools:
    """What submits work to a pool, exchanged for something that hands on context variables.

    The first of them says whether there is anything to hand on.
    """

    def __init__(self, *variables: ContextVar[Any]) -> None:
        self._variables = variables
        self._before = self._after = ThreadPoolExecutor.submit

    def attach(self, _note: object) -> None:
        """Hand it on from now on."""
        self._before = ThreadPoolExecutor.submit
        self._after = _handing_on(self._before, self._variables)
        ThreadPoolExecutor.submit = self._after  # type: ignore[method-assign]

    def detach(self, _note: object) -> None:
        """Put the method back, unless another has exchanged it since."""
        if ThreadPoolExecutor.submit is self._after:
            ThreadPoolExecutor.submit = self._before  # type: ignore[method-assign]


def _handing_on(
    original: Callable[..., Any], variables: tuple[ContextVar[Any], ...]
) -> Callable[..., Any]:
    @wraps(original)
    def submit(pool: object, work: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        if variables[0].get():
            values = [(variable, variable.get()) for variable in variables]
            work = partial(_within, values, work)
        return original(pool, work, *args, **options)

    return submit


def _within(
    values: list[tuple[ContextVar[Any], Any]], work: Callable[..., Any], *args: Any, **options: Any
) -> Any:
    tokens = [(variable, variable.set(value)) for variable, value in values]
    try:
        return work(*args, **options)
    finally:
        for variable, token in tokens:
            variable.reset(token)
