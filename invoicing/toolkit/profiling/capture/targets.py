"""Find the engines behind whatever a program has at hand."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
)
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from invoicing.db import Database
from invoicing.toolkit.profiling.errors import ProfilingTargetError

Engines = tuple[Engine | type[Engine], ...]


def engines_of(target: object) -> Engines:
    """Return the engines that `target` sends its statements to; the class for all there are.

    A session or sessionmaker that is bound to no one engine may use any: it means them all.

    Raises:
        ProfilingTargetError: it leads to no engine.
    """
    if target is None:
        return (Engine,)
    if isinstance(target, Database):
        return engines_of(target.engine) + engines_of(target.read_only_engine)
    if isinstance(target, (sessionmaker, async_sessionmaker)):
        return engines_of(target.kw.get("bind"))
    if isinstance(target, (Session, scoped_session, AsyncSession, async_scoped_session)):
        return _engines_of_session(target)
    if isinstance(target, (Connection, AsyncConnection)):
        target = target.engine
    if isinstance(target, AsyncEngine):
        target = target.sync_engine
    if not isinstance(target, Engine):
        raise ProfilingTargetError(type(target).__name__)
    return (target,)


def _engines_of_session(session: Any) -> Engines:
    try:
        return engines_of(session.get_bind())
    except UnboundExecutionError:
        return (Engine,)
