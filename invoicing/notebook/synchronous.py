"""Call async functions without `await`, for code that cannot use top-level `await`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import nest_asyncio

if TYPE_CHECKING:
    from collections.abc import Coroutine

Result = TypeVar("Result")


def run_synchronously(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run `coroutine` to its end and return its result, also inside a running event loop.

    Opt-in: a kernel's own loop is patched by nest-asyncio at the first call and stays patched.
    Prefer `await` in a cell. Nested runs end in the reverse order of their start, so never wait in
    one for another; uvloop's loops cannot be patched.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    nest_asyncio.apply(loop)
    return loop.run_until_complete(coroutine)
