"""Hear SQLAlchemy's public events, and pass each to the captures it belongs to.

All captures of one engine share one set of listeners: the first puts them on, the last takes
them off. An event belongs to the captures of the context (task or thread) it happens in; tasks
inherit the context they were made in, and SQLAlchemy's greenlets share that of their task.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Engine, event
from sqlalchemy.orm import Mapper, Session
from sqlalchemy.pool import Pool

from invoicing.toolkit.profiling.capture.capture import Capture
from invoicing.toolkit.profiling.capture.pools import Pools
from invoicing.toolkit.profiling.capture.units import ALLOWED
from invoicing.toolkit.profiling.capture.waits import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy.orm import InstanceState, QueryContext

HERE: ContextVar[tuple[Capture, ...]] = ContextVar("invoicing_profiling", default=())


class Event(NamedTuple):
    """One of SQLAlchemy's events, and what a capture does of it."""

    target: Any
    name: str
    heard: Callable[..., None]
    # Whether captures of other contexts hear of it too.
    by_all: bool = False
    options: tuple[tuple[str, bool], ...] = ()

    def attach(self, listener: Callable[..., None]) -> None:
        """Tell `listener` of it from now on."""
        event.listen(self.target, self.name, listener, **dict(self.options))

    def detach(self, listener: Callable[..., None]) -> None:
        """Tell it no more."""
        event.remove(self.target, self.name, listener)


class WaitEvent(NamedTuple):
    """That the program waits, or gives work to a pool, which is no event of SQLAlchemy's."""

    waits: Waits | Pools
    heard: Callable[..., None] = Capture.waited
    by_all: bool = False

    def attach(self, listener: Callable[..., None]) -> None:
        """Tell `listener` of it from now on."""
        self.waits.attach(listener)

    def detach(self, listener: Callable[..., None]) -> None:
        """Tell it no more."""
        self.waits.detach(listener)


def events_of_sessions() -> list[Event | WaitEvent]:
    """Return what belongs to no engine: an engine does not know which sessions will use it."""
    raw = (("raw", True),)
    return [
        Event(Session, "after_begin", Capture.session_begins),
        Event(Mapper, "load", Capture.made, options=raw),
        Event(Mapper, "refresh", Capture.filled, options=raw),
        WaitEvent(Waits()),
        WaitEvent(Pools(HERE, ALLOWED)),
    ]


def events_of_engine(engine: Engine | type[Engine]) -> list[Event | WaitEvent]:
    """Return what an engine, its dialect and its pool tell; for the class `Engine`, all of them."""
    pool = engine.pool if isinstance(engine, Engine) else Pool
    return [
        Event(engine, "commit", Capture.commit),
        Event(engine, "commit_twophase", Capture.commit),
        Event(engine, "rollback", Capture.rollback),
        Event(engine, "rollback_twophase", Capture.rollback),
        Event(engine, "before_cursor_execute", Capture.before),
        Event(engine, "after_cursor_execute", Capture.after),
        Event(engine, "handle_error", Capture.failed),
        Event(pool, "connect", Capture.opened),
        # By all: what others have done on a connection must not be taken for the recording's.
        Event(pool, "checkin", Capture.checked_in, by_all=True),
    ]


class Ear:
    """Listeners to some events, attached as long as a recording needs them.

    Attributes:
        captures: those the events are passed to; replaced as a whole, so that one thread can
            walk through it while another changes it.
    """

    def __init__(self, events: list[Event | WaitEvent]) -> None:
        self.captures: frozenset[Capture] = frozenset()
        self._everywhere: tuple[Capture, ...] = ()
        self._listeners = [(event, self._listener(event.heard, event.by_all)) for event in events]

    def add(self, capture: Capture, *, everywhere: bool) -> None:
        """Pass what is heard to `capture` too."""
        first = not self.captures
        self.captures |= {capture}
        if everywhere:
            self._everywhere = (*self._everywhere, capture)
        if first:
            for hook, listener in self._listeners:
                hook.attach(listener)

    def discard(self, capture: Capture) -> None:
        """Pass nothing to `capture` any more."""
        self.captures -= {capture}
        self._everywhere = tuple(other for other in self._everywhere if other is not capture)
        if not self.captures:
            for hook, listener in self._listeners:
                hook.detach(listener)

    def concerned(self) -> set[Capture]:
        """Return the captures that hear what happens here."""
        return {*HERE.get(), *self._everywhere} & self.captures

    def _listener(self, heard: Callable[..., None], by_all: bool) -> Callable[..., None]:
        here = HERE.get
        if heard is Capture.made:
            return self._listener_to_loads()

        def listener(*args: Any) -> None:
            captures = self.captures
            concerned: Iterable[Capture] = captures if by_all else here()
            if self._everywhere:
                concerned = {*concerned, *self._everywhere}
            for capture in concerned:
                if capture in captures:
                    try:
                        heard(capture, *args)
                    except Exception:
                        capture.lose()

        return listener

    def _listener_to_loads(self) -> Callable[..., None]:
        # Called for every object: as short as it can be.
        here, thread = HERE.get, get_ident

        def listener(state: InstanceState[Any], context: QueryContext | None) -> None:
            concerned: Iterable[Capture] = here()
            if self._everywhere:
                concerned = {*concerned, *self._everywhere}
            for capture in concerned:
                pending = capture.making.get(thread())
                if pending is not None:
                    pending.made_at = perf_counter_ns()
                    if context is not None:
                        capture.runs[context.runid] = pending
                    if pending.only_row:
                        pending.only_key = state.key

        return listener


@contextmanager
def unrecorded() -> Iterator[None]:
    """Keep what a recorder itself does out of the recordings around it."""
    around = HERE.get()
    HERE.set(())
    try:
        yield
    finally:
        HERE.set(around)


LOCK = threading.Lock()
EARS: dict[Engine | type[Engine] | None, Ear] = {}


def captures_here() -> set[Capture]:
    """Return the recordings that what happens here belongs to."""
    ear = EARS.get(None)
    return ear.concerned() if ear is not None else set()


def listen(
    capture: Capture, engines: tuple[Engine | type[Engine], ...], *, everywhere: bool
) -> None:
    """Pass the events of `engines`, and of the sessions on them, to `capture`."""
    with LOCK:
        for target in (None, *engines):
            if target not in EARS:
                EARS[target] = Ear(
                    events_of_sessions() if target is None else events_of_engine(target)
                )
            EARS[target].add(capture, everywhere=everywhere)


def stop_listening(capture: Capture) -> None:
    """Pass nothing to `capture` any more, and close it."""
    with LOCK:
        for target, ear in tuple(EARS.items()):
            if capture in ear.captures:
                ear.discard(capture)
            if not ear.captures:
                del EARS[target]
    try:
        capture.close()
    except Exception:
        capture.lose()
