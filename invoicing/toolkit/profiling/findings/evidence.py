"""A recording as the findings ask of it: who brought an object, what belongs together."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from invoicing.toolkit.profiling.findings.bulk_fix import bulk_form
from invoicing.toolkit.profiling.findings.changes import may_change, tables_written
from invoicing.toolkit.profiling.findings.data_flow import DataFlow
from invoicing.toolkit.profiling.findings.finding import Cost, Finding
from invoicing.toolkit.profiling.statement import Cause, EntityRows, Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from invoicing.toolkit.profiling.capture.attribute_reads import ReadIndex
    from invoicing.toolkit.profiling.findings.finding import AnyFix
    from invoicing.toolkit.profiling.statement import Allowance, Caller, Statement, Transaction

UNASKED = frozenset({"flush", "autoflush", "commit", "delete", "merge"})


class ObjectSource(NamedTuple):
    """The statement that brought an object, and as what."""

    statement: Statement
    entity: EntityRows


class ThresholdValues(Protocol):
    """The thresholds by their names; the kinds of findings declare them."""

    def __getattr__(self, name: str) -> float: ...


@dataclass(eq=False, repr=False)
class Evidence:
    """What is known of a recording.

    Attributes:
        statements: in the order they were sent.
        transactions: its units of work.
        attribute_reads: what the program has read of the objects it loaded.
        thresholds: from which size on something is a finding.
        plans: for statements that were explained, by number, the plan as PostgreSQL gives it.
        invoked: the SQLAlchemy statements behind texts that came again.
        used: the blocks of `allow` that allowed something.
    """

    statements: list[Statement]
    transactions: list[Transaction]
    attribute_reads: ReadIndex
    thresholds: ThresholdValues
    plans: dict[int, dict[str, object]]
    invoked: dict[str, object] = field(default_factory=dict)
    used: set[Allowance] = field(default_factory=set)
    _bulk_forms: dict[Hashable, tuple[Any, ...]] = field(default_factory=dict, init=False)
    _flows: dict[frozenset[tuple[Caller, ...]], DataFlow] = field(default_factory=dict, init=False)

    @cached_property
    def _leaders(self) -> list[Statement | None]:
        last: dict[int | None, Statement] = {}
        found = []
        for statement in self.statements:
            found.append(last.get(statement.session))
            if statement.cause is not Cause.EAGER_LOAD:
                last[statement.session] = statement
        return found

    @cached_property
    def shapes(self) -> Counter[str]:
        """How often each statement was sent, whatever its values."""
        return Counter(statement.fingerprint for statement in self.statements)

    @cached_property
    def sizes(self) -> Counter[int | None]:
        """How many statements each unit of work has."""
        return Counter(statement.transaction for statement in self.statements)

    @cached_property
    def writing(self) -> frozenset[int | None]:
        """Numbers of the units of work in which something was written."""
        return frozenset(
            statement.transaction for statement in self.statements if is_write(statement)
        )

    @cached_property
    def _changes(self) -> dict[tuple[str, int | None], list[int]]:
        """Numbers of what may change an answer: in a unit of work, of a task, of a session."""
        found: dict[tuple[str, int | None], list[int]] = defaultdict(list)
        for statement in self.statements:
            if statement.cause is Cause.REFRESH:
                found["session", statement.session].append(statement.number)
            elif may_change(statement.text):
                found["transaction", statement.transaction].append(statement.number)
                if is_write(statement):
                    found["task", statement.task].append(statement.number)
        return found

    def changed_between(self, before: Statement, statement: Statement) -> bool:
        """Return whether what came between two statements may have changed their answer."""
        keys = ("transaction", statement.transaction), ("session", statement.session)
        return any(
            bisect_right(numbers, before.number) < bisect_left(numbers, statement.number)
            for numbers in (self._changes.get(key, []) for key in (*keys, ("task", statement.task)))
        )

    @cached_property
    def written_by(self) -> dict[int, frozenset[str]]:
        """The tables that each task has written, where more than one has sent statements."""
        found: dict[int, set[str]] = defaultdict(set)
        if len({statement.task for statement in self.statements}) > 1:
            for statement in self.statements:
                found[statement.task] |= tables_written(statement.text)
        return {task: frozenset(tables) for task, tables in found.items() if tables}

    @cached_property
    def brought(self) -> dict[tuple[int | None, str], Counter[tuple[object, ...]]]:
        """How often rows brought an object, by session, topmost mapped class and primary key."""
        found: dict[tuple[int | None, str], Counter[tuple[object, ...]]] = defaultdict(Counter)
        for statement in self.statements:
            for entity in statement.entities:
                found[statement.session, entity.root].update(entity.keys or ())
        return found

    @cached_property
    def refreshes(self) -> dict[Hashable, list[Statement]]:
        """What `session.refresh()` read, by whose objects they are and the line."""
        found: dict[Hashable, list[Statement]] = defaultdict(list)
        for statement in self.statements:
            if statement.cause is Cause.REFRESH:
                found[unit(statement), statement.caller].append(statement)
        return found

    @cached_property
    def _by_rarity(self) -> list[tuple[int, Statement]]:
        with_values = [
            (self.shapes[statement.fingerprint], statement)
            for statement in self.statements
            if statement.values
        ]
        return sorted(with_values, key=lambda pair: pair[0])

    def rarer_before(self, first: Statement, times: float) -> list[Statement]:
        """Return what came before `first` with several rows, of a shape sent so often at most."""
        end = bisect_right(self._by_rarity, times, key=lambda pair: pair[0])
        earlier = [each for _, each in self._by_rarity[:end] if each.number < first.number]
        return sorted(earlier, key=lambda statement: statement.number)

    def flow_from(self, origins: list[Statement]) -> DataFlow:
        """Return how values lead to one of these statements; the same for the same lines."""
        stacks = frozenset(statement.stack for statement in origins)
        if stacks not in self._flows:
            self._flows[stacks] = DataFlow(origins)
        return self._flows[stacks]

    def bulk_form_of(self, group: list[Statement]) -> tuple[Any, ...]:
        """Return the fix for statements of one shape, if there is one; the same for one line."""
        first, differing = group[0], differing_places(group)
        key = first.text, first.caller, *differing
        if key not in self._bulk_forms:
            form = bulk_form(first.text, self.invoked.get(first.text), differing, first.caller)
            self._bulk_forms[key] = tuple(form)
        return self._bulk_forms[key]

    def leader_of(self, statement: Statement) -> Statement | None:
        """Return the statement whose eager loader sent this one: the last of its session."""
        return self._leaders[statement.number - 1]

    def sources(self, loads: Iterable[Statement]) -> list[ObjectSource]:
        """Return the statements that brought the parents of `loads`, and as which entities.

        By the objects, not by their keys: other sessions have loaded equal ones.
        """
        parents: dict[int, set[tuple[object, ...]]] = defaultdict(set)
        roots: dict[int, Identity] = {}
        for load in loads:
            if load.parent is not None and load.parent_source is not None:
                parents[load.parent_source].add(load.parent.key)
                roots[load.parent_source] = Identity(load.parent_root, load.parent.key)
        return [
            ObjectSource(self.statements[number - 1], entity)
            for number, keys in parents.items()
            for entity in _covering(self.statements[number - 1], roots[number].entity, keys)
        ]

    def groups(
        self,
        wanted: Callable[[Statement], bool],
        key: Callable[[Statement], Hashable],
    ) -> list[list[Statement]]:
        """Return the wanted statements, those with equal keys together."""
        found: dict[Hashable, list[Statement]] = defaultdict(list)
        for statement in self.statements:
            if wanted(statement):
                found[key(statement)].append(statement)
        return list(found.values())


def _covering(statement: Statement, root: str, keys: set[tuple[object, ...]]) -> list[EntityRows]:
    """Return the fewest entities of a statement's rows as which it brought these keys."""
    entities = [entity for entity in statement.entities if entity.root == root]
    left, found = set(keys), []
    while left and entities:
        best = max(entities, key=lambda entity: len(left & (entity.keys or left)))
        entities.remove(best)
        if left & (best.keys or left):
            found.append(best)
        left -= best.keys or left
    # A statement whose rows are not understood (`from_statement`) has them at its top.
    return found or [EntityRows(root, None, collection=False, root=root)]


def unit(statement: Statement) -> tuple[str, int | None]:
    """Return whose objects a statement's rows become: a session's, or a transaction's."""
    if statement.session is not None:
        return "session", statement.session
    return "transaction", statement.transaction


def is_write(statement: Statement) -> bool:
    """Return whether a statement writes, as far as its first keyword tells."""
    return statement.operation in {"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"}


def is_unasked(statement: Statement) -> bool:
    """Return whether the session sent it by itself: while it wrote, or to follow a cascade."""
    return not UNASKED.isdisjoint(statement.within)


def main_caller(statements: Iterable[Statement]) -> Caller | None:
    """Return the line that most of the statements come from."""
    lines = Counter(statement.caller for statement in statements if statement.caller is not None)
    return lines.most_common(1)[0][0] if lines else None


def is_repeated_line(statements: list[Statement]) -> bool:
    """Return whether any line sent more than one of them: a loop, or a function called again.

    Where no line of the program's own is known, it may have been.
    """
    lines = Counter(statement.caller for statement in statements)
    return any(count > 1 for count in lines.values())


def cost_of(statements: list[Statement], kept: int = 0) -> Cost:
    """Return what all of the statements but `kept` of them cost."""
    received = [statement.bytes_received for statement in statements]
    known = sum(count for count in received if count is not None)
    return Cost(
        max(len(statements) - kept, 0),
        0,
        None if None in received else known,
        sum(statement.database_seconds for statement in statements),
    )


def repetition(
    message: str,
    fix: str,
    relationship: str | None,
    group: list[Statement],
    slug: str,
    fixes: tuple[AnyFix, ...] = (),
) -> Finding:
    """Make the finding of a group of statements of which one could have been enough."""
    cost = cost_of(group, kept=1)
    return Finding(
        slug, message, fix, relationship, main_caller(group), cost, numbers(group), fixes=fixes
    )


def numbers(statements: Iterable[Statement]) -> tuple[int, ...]:
    """Return the numbers of statements."""
    return tuple(statement.number for statement in statements)


def differing_places(group: list[Statement]) -> list[int]:
    """Return the places of the parameters that are not the same in all of a group."""
    # Lists of different lengths have one fingerprint, and differ as a whole.
    length = min(len(statement.parameter_keys) for statement in group)
    return [
        place
        for place in range(length)
        if len({statement.parameter_keys[place] for statement in group}) > 1
    ]
