"""Hear that a program waits: for a timer, a `sleep`, an event, or a queue that is empty.

And that it takes what it has for old: `session.expire()` counts as well, and is heard here because
an object's own event does not tell of those that are gone.

That it waited is a fact of the program, how long of the machine: no clock is read. A timer counts
when it goes off, so the `timeout` around a statement that came in time is none. What waits is a
task, or a thread outside any. `time.sleep` is heard of where it is called by that name or was
imported as `sleep`; what C code waits for, and a thread's `Event.wait()` without a timeout, is not.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from functools import partial, wraps
from inspect import iscoroutinefunction
from threading import get_ident
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    Note = Callable[[object], None]

FUNCTIONS = (BuiltinFunctionType, FunctionType)


def waiter() -> object:
    """Return who would wait here: the running task, or else the thread."""
    loop = asyncio._get_running_loop()
    task = asyncio.current_task(loop) if loop is not None else None
    return get_ident() if task is None else task


class Waits:
    """What makes a program wait, exchanged for something that tells of it."""

    def __init__(self) -> None:
        self._patches: list[tuple[Any, str, Any, Any]] = []

    def attach(self, note: Note) -> None:
        """Tell `note` from now on who waits."""
        # Timers of every loop written in Python: its call_later goes by its call_at.
        loop = asyncio.BaseEventLoop
        self._exchange(loop, "call_at", _timer(loop.call_at, note))
        for owner, name, waits in _WAITING:
            self._exchange(owner, name, _waiting(vars(owner)[name], note, waits))
        self._rebind({before: after for *_, before, after in self._patches})

    def detach(self, _note: Note) -> None:
        """Put everything back."""
        self._rebind({after: before for *_, before, after in self._patches})
        for owner, name, before, after in self._patches:
            # Another may have exchanged it since, for the time being.
            if vars(owner).get(name) is after:
                setattr(owner, name, before)
        self._patches.clear()

    def _exchange(self, owner: Any, name: str, after: Any) -> None:
        self._patches.append((owner, name, vars(owner)[name], after))
        setattr(owner, name, after)

    def _rebind(self, exchanged: dict[Any, Any]) -> None:
        for module in tuple(sys.modules.values()):
            if isinstance(module, ModuleType) and module not in _HOMES:
                # Not by vars(): a module that is loaded lazily would be loaded now.
                names = ModuleType.__getattribute__(module, "__dict__")
                sleep = names.get("sleep")
                if isinstance(sleep, FUNCTIONS) and sleep in exchanged:
                    names["sleep"] = exchanged[sleep]


def _timer(original: Callable[..., Any], note: Note) -> Callable[..., Any]:
    @wraps(original)
    def set_timer(
        loop: object, when: float, callback: Callable[..., object], *args: object, **options: Any
    ) -> Any:
        fired = partial(_fire, note, waiter(), callback)
        return original(loop, when, fired, *args, **options)

    return set_timer


def _fire(note: Note, who: object, callback: Callable[..., object], *args: object) -> object:
    note(who)
    return callback(*args)


def _waiting(
    original: Callable[..., Any], note: Note, waits: Callable[..., bool]
) -> Callable[..., Any]:
    if iscoroutinefunction(original):
        # A mock asks what it stands for whether it is one.
        @wraps(original)
        async def wait_awaited(*args: Any, **options: Any) -> Any:
            if waits(*args, **options):
                note(waiter())
            return await original(*args, **options)

        return wait_awaited

    @wraps(original)
    def wait(*args: Any, **options: Any) -> Any:
        if waits(*args, **options):
            note(waiter())
        return original(*args, **options)

    return wait


def _always(*_: object, **__: object) -> bool:
    return True


def _has_timeout(_event: object, timeout: float | None = None) -> bool:
    return timeout is not None


def _is_empty(queue: asyncio.Queue[Any]) -> bool:
    return queue.empty()


def _is_long(seconds: float = 0, *_: object, **options: float) -> bool:
    return options.get("delay", seconds) > 0


_WAITING: tuple[tuple[Any, str, Callable[..., bool]], ...] = (
    (asyncio.Event, "wait", _always),
    (asyncio.Condition, "wait", _always),
    (asyncio.Queue, "get", _is_empty),
    # Of loops that are not written in Python.
    (asyncio, "sleep", _is_long),
    (Session, "expire", _always),
    (Session, "expire_all", _always),
    # Without one it is how a thread waits for another to have started.
    (threading.Event, "wait", _has_timeout),
    (time, "sleep", _is_long),
)
# Where they stand under their own name.
_HOMES = {asyncio, time}
