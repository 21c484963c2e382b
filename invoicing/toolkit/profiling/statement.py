"""What a recording holds: plain facts, each None where it cannot be known.

All times are seconds. Numbers (`number`, `connection`, `transaction`) count from 1 within one
recording; they say which things are the same, and mean nothing outside it.
"""

from __future__ import annotations

import linecache
import os
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from invoicing.toolkit.profiling.fingerprint import fingerprint_of, operation_of


class Cause(StrEnum):
    """Why a statement ran."""

    STATEMENT = "statement"
    """The program executed it."""
    GET = "get"
    """`session.get()` or `merge()` looked one row up by its primary key."""
    REFRESH = "refresh"
    """`session.refresh()` asked for the row again."""
    COLUMN_LOAD = "column load"
    """An expired or deferred column was read."""
    LAZY_LOAD = "lazy load"
    """A relationship that was not loaded was read."""
    EAGER_LOAD = "eager load"
    """A loader of an earlier statement (selectin, subquery, immediate) fetched its part."""
    FLUSH = "flush"
    """The session wrote what was pending."""


@dataclass(frozen=True)
class Caller:
    """A line of the program's own code that was running when a statement was sent.

    Attributes:
        file: its path; inside a notebook still the temporary file of the cell.
        line: counted from 1; of the cell, inside a notebook.
        function: its qualified name; `<module>` at the top level.
        cell: the number in `In[n]`, inside a notebook.
    """

    file: str
    line: int
    function: str
    cell: int | None = None

    def __str__(self) -> str:
        if self.cell is not None:
            return f"In[{self.cell}], line {self.line}"
        here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118 -- many, and fast
        return f"{self.file.removeprefix(here)}:{self.line}"

    @cached_property
    def source(self) -> str:
        """The text of the line; empty where there is none to read."""
        return linecache.getline(self.file, self.line).strip()


@dataclass(frozen=True, eq=False)
class Allowance:
    """A block of code that may waste something.

    Attributes:
        slug: the kind of finding.
        why: the reason.
        caller: the line that says so.
    """

    slug: str
    why: str
    caller: Caller | None

    def __str__(self) -> str:
        where = f"{self.caller}: " if self.caller is not None else ""
        return f"{where}allow({self.slug!r}) allowed nothing. Remove it (its reason: {self.why})"


class PathStep(NamedTuple):
    """A relationship on a loader's path.

    Attributes:
        relationship: `Model.attribute`.
        collection: whether it is a collection.
        owner: the mapped class that has it; classes of one name are different ones.
        target: the mapped class that it leads to.
        of: the sub-class that the program's `of_type` narrows it to.
    """

    relationship: str
    collection: bool
    owner: type | None = None
    target: type | None = None
    of: type | None = None


class Identity(NamedTuple):
    """Which row an object stands for."""

    entity: str
    key: tuple[Any, ...]

    def __str__(self) -> str:
        return f"{self.entity}({', '.join(map(str, self.key))})"


@dataclass(slots=True, eq=False)
class EntityRows:
    """How many rows of a result have one entity, and how many different ones they have.

    Attributes:
        entity: the mapped class (the table's name where nothing is mapped).
        path: the relationship that a joined loader followed, `Invoice.lines`; None at the top.
        collection: whether that relationship is a collection.
        root: the topmost mapped class it inherits from, as which its primary key is unique.
        joined: whether a joined loader brought it; not so where the program wrote the join
            itself (`contains_eager`).
        owner: place among the statement's entities of the one that has the relationship; -1 at
            the top.
        columns: how many of the row's columns are its own.
        steps: the relationships from the top to `path`.
        targets: its relationships to one object, by the class they lead to, each with the place
            of its foreign key in the row.
        mapped: the mapped class.
        alias: whether the program selects an alias of it.
        widens: whether a joined loader can add to the statement: to a SELECT that locks nothing.
        wide: bytes in each of its columns with large values, by `Model.attribute`, about.
        rows: rows in which it was present; an outer join's empty side is not counted.
        distinct: different primary keys among them.
        links: different pairs of an owner and one of these: what a collection really holds.
        keys: those primary keys, to look a parent up; None when there were more than `KEPT_KEYS`.
    """

    entity: str
    path: str | None
    collection: bool
    root: str = ""
    joined: bool = False
    owner: int = -1
    columns: int = 0
    steps: tuple[PathStep, ...] = ()
    targets: dict[str, list[tuple[PathStep, int | None]]] = field(default_factory=dict)
    mapped: type | None = field(default=None, repr=False)
    alias: bool = False
    widens: bool = False
    wide: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    distinct: int = 0
    links: int = 0
    keys: set[tuple[Any, ...]] | None = None


KEPT_KEYS = 10_000


@dataclass(slots=True, eq=False)
class Transaction:
    """One unit of work on one connection, from its first statement to its commit or rollback.

    Attributes:
        number: which of the recording's units of work.
        connection: which connection.
        session: `Session.hash_key` of the session it belongs to; None for a bare connection.
        autocommit: whether every statement is its own transaction on the server.
        outcome: `commit`, `rollback`, or None while it is open.
        is_async: whether its engine is awaited.
    """

    number: int
    connection: int
    session: int | None = None
    autocommit: bool = False
    outcome: str | None = None
    is_async: bool = False


@dataclass(slots=True, eq=False)
class Statement:
    """One statement, sent to the server once.

    Attributes:
        number: its place in the recording.
        text: what was sent. It may hold literals; `fingerprint` never does, so show that.
        started: seconds since the recording began.
        cause: why it ran.
        within: the session's operations around it, innermost first: `("autoflush", "get")`.
        stack: lines of the program's own code, innermost first; empty where none was running.
        awaited_at: for a statement of another task than the recording's, the line at which that one
            waited.
        connection: which connection.
        transaction: which unit of work.
        session: `Session.hash_key` of the session; None for a bare connection.
        task: which task sent it, or which thread outside of any.
        waits: how often that one had waited by then for something that was no statement (a timer
            that went off, `sleep`, an event, an empty queue), or taken what it had for old
            (`expire`, `populate_existing`).
        all_waits: how often any had.
        parameter_count: values bound, over all executions.
        parameters: name (or place) and value of each, only on request; secrets are masked.
        parameters_key: equal for equal parameters within one recording, and tells nothing of them.
        parameter_keys: the same of each parameter by itself; empty for an executemany.
        values: the same of the values in the first rows that came back, a set for each column.
        executions: how many sets of parameters an executemany has; 1 otherwise.
        returning: whether the RETURNING of a write is the program's own, and none that SQLAlchemy
            adds for keys; None where the program wrote the text.
        rows: rows that came back; None while it is unknown (a stream not yet read, a raw cursor).
        affected: rows written, where the driver says.
        fetches: how often rows were asked for; above 1 for a stream.
        entities: rows against different identities, for each entity in the result.
        relationship: `Model.attribute` that a lazy or eager load is for, or a column load's column.
        collection: whether that relationship is a collection.
        loader: `lazy`, `selectin`, `subquery` or `immediate`, for such a load.
        steps: the relationships on the path of such a load's loader.
        parent: whose relationship or columns a lazy load, a column load or a refresh is for.
        parent_root: the topmost mapped class that one inherits from.
        parent_class: the mapped class of that object itself.
        parent_source: number of the statement whose row made that very object, or filled it last;
            None where it was not recorded.
        database_seconds: from sending to having the rows, as the program waited for it.
        server_seconds: of these, the server's work: from the request's last byte to the reply's
            first, less the network's delay where the kernel knows it.
        orm_seconds: time spent making objects of the rows, without loads nested in it.
        round_trips: times the program waited for the server: BEGIN and prepare count.
        bytes_received: bytes the server sent.
        bytes_sent: bytes the server got.
        sqlstate: of the error it ended with, where it has one.
        error: name of the driver's exception.
        streamed: whether the rows came through a server-side cursor.
        allowances: the blocks of `allow` that it was sent within.
    """

    number: int
    text: str = field(repr=False)
    started: float
    cause: Cause = Cause.STATEMENT
    within: tuple[str, ...] = ()
    stack: tuple[Caller, ...] = ()
    awaited_at: Caller | None = None
    connection: int = 0
    transaction: int | None = None
    session: int | None = None
    task: int = 0
    waits: int = 0
    all_waits: int = 0
    parameter_count: int = 0
    parameters: tuple[tuple[str, Any], ...] | None = field(default=None, repr=False)
    parameters_key: int = 0
    parameter_keys: tuple[int, ...] = field(default=(), repr=False)
    values: tuple[frozenset[int], ...] = field(default=(), repr=False)
    executions: int = 1
    returning: bool | None = None
    rows: int | None = None
    affected: int | None = None
    fetches: int = 0
    entities: tuple[EntityRows, ...] = ()
    relationship: str | None = None
    collection: bool = False
    loader: str | None = None
    steps: tuple[PathStep, ...] = ()
    parent: Identity | None = None
    parent_root: str = ""
    parent_class: type | None = field(default=None, repr=False)
    parent_source: int | None = None
    database_seconds: float = 0.0
    server_seconds: float | None = None
    orm_seconds: float = 0.0
    round_trips: int | None = None
    bytes_received: int | None = None
    bytes_sent: int | None = None
    sqlstate: str | None = None
    error: str | None = None
    streamed: bool = False
    allowances: tuple[Allowance, ...] = field(default=(), repr=False)

    @property
    def fingerprint(self) -> str:
        """The statement without literals, lengths of lists, comments and layout."""
        return fingerprint_of(self.text)

    @property
    def operation(self) -> str:
        """Its first keyword: `SELECT`, `INSERT`, `SAVEPOINT`."""
        return operation_of(self.text)

    @property
    def caller(self) -> Caller | None:
        """The innermost line of the program's own code."""
        return self.stack[0] if self.stack else None

    @property
    def driver_seconds(self) -> float | None:
        """Database time that was not the server's: the driver, the wire, other tasks' turns."""
        if self.server_seconds is None:
            return None
        return max(self.database_seconds - self.server_seconds, 0.0)

    @property
    def duplicate_rows(self) -> int:
        """Rows that repeat a top entity of an earlier row."""
        tops = [entity for entity in self.entities if entity.path is None]
        return tops[0].rows - tops[0].distinct if len(tops) == 1 else 0
