"""The same rename as SQL for psql: what `alembic upgrade --sql` writes, batched commits included.

A script is written without a connection, so it takes everything but the names from the catalog when
it runs: the column's type, whether it may be NULL, how far the rename has come. What it cannot
carry over it refuses (see `obstacles`).

Every step is one statement that asks for what it needs before it does anything: psql goes on after
an error by default. The last step, which drops a column or says that every row is equal,
belongs to the transaction in which Alembic writes the version (see `stamp`). Each may be run again:
a script that was interrupted is started anew, and goes on at the batch where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename import ended, ownership, state
from invoicing.toolkit.rename.columns import contract, expand, rollback, sync
from invoicing.toolkit.rename.columns.copies.not_null import by_check
from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.retype import conversion
from invoicing.toolkit.rename.script import (
    batches,
    blocks,
    in_place,
    indexes,
    record,
    refusals,
    types,
)
from invoicing.toolkit.rename.script.blocks import (
    EXACT,
    IMAGE,
    execute,
    execute_typed,
    lock,
    raise_if,
)
from invoicing.toolkit.rename.script.changes import carry, keep_not_null_name
from invoicing.toolkit.rename.script.conditions import (
    NOT_NULL,
    listed,
    said,
    say_wait,
    unguarded,
    when,
)
from invoicing.toolkit.rename.script.obstacles import obstacles

if TYPE_CHECKING:
    from collections.abc import Collection

    from invoicing.toolkit.rename.model import Options
    from invoicing.toolkit.rename.names import Names

_STATE = quote(STATE)
_SHARE = "SHARE UPDATE EXCLUSIVE"
_ALL = "ACCESS EXCLUSIVE"
_BEGUN = frozenset(Phase) - {Phase.NONE, Phase.CONTRACTED, Phase.REVERSED}
_STARTED = frozenset({Phase.EXPANDED, Phase.BACKFILLING, Phase.BACKFILLED, Phase.VERIFYING})
_FILLED = frozenset({Phase.BACKFILLED, Phase.VERIFYING, Phase.VERIFIED})


class Statements(NamedTuple):
    """A script: what commits by itself, and what commits with the version row."""

    before: list[str]
    last: list[str]


@dataclass(frozen=True)
class Script:
    """Writes the scripts of one rename.

    Attributes:
        searched: whether the table was named without a schema, for the search path to find.
    """

    names: Names
    options: Options
    searched: bool = False

    def expand(self) -> Statements:
        """Return the statements of expand, backfill and verify, in the order they run."""
        names = self.names
        # What is in place already needs no lock, for which a locked row would be waited for.
        again = (
            f"    IF noted.phase = {literal(Phase.VERIFIED)} THEN\n        NULL;\n"
            f"    ELSIF noted.phase IN ({listed(_STARTED)}) AND there"
            f" AND NOT {unguarded(names)} THEN\n"
            f"{self._refuse_obstacles(adding=True)}"
            f"{execute(state.set_phase(names, Phase.EXPANDED))}"
            f"    ELSE\n{self._add()}    END IF;\n"
        )
        verify = (
            self._need(_FILLED, "is not filled", "Run the script again: it goes on from there.")
            + self._refuse_obstacles(adding=True)
            + lock(names, self.options, _SHARE)
            + refusals.refuse_unguarded(names)
            + raise_if(
                f"col.attnotnull AND NOT {NOT_NULL.format(literal(names.new))}",
                f"{names.table}.{names.new} may be NULL, and {names.old} may not",
                "Run the script again.",
            )
            + self._refuse_difference()
            + indexes.refuse_unbuilt(names)
            + execute(state.set_phase(names, Phase.VERIFIED))
        )
        before = [
            blocks.settings(self.options),
            self._step(self._unless_renamed(again)),
            self._step(when(Phase.EXPANDED, execute(*batches.cut(names, self.options)))),
            batches.backfill(names, self.options),
            self._step(when(Phase.EXPANDED, execute(*batches.filled(names)))),
            *map(self._step, self._not_null()),
            *(self._indexes() if names.conversion is None else []),
        ]
        return Statements(before, [self._step(self._unless_renamed(verify)), blocks.RESTORE])

    def contract(self, confirmed: str | None) -> Statements:
        """Return the statements of the gate and the contract: one transaction."""
        names = self.names
        confirm = refusals.refuse_rows(names, confirmed)
        end = self._end_name if names.conversion is None else self._end_type
        forget = execute(ended.forget_statement(names))
        advice = f"Run the expand first. To see where it stands: {names.command('status')}"
        body = (
            confirm
            + self._need({Phase.VERIFIED, Phase.CONTRACTING}, "is not filled and verified", advice)
            + lock(names, self.options, _SHARE)
            + self._refuse_obstacles(adding=False)
            + refusals.refuse_unguarded(names)
            + self._refuse_difference()
            + self._refuse_lossy()
            + end(confirm)
            + execute(state.set_phase(names, Phase.CONTRACTED), *names.drop_functions())
            + execute(f"DELETE FROM {_STATE}.range WHERE key = {literal(names.key)}")
            # Of an empty table nothing was lost, so that there is no way back to keep.
            + f"    IF NOT EXISTS (SELECT FROM {names.relation}) THEN\n{forget}"
            + "    END IF;\n"
        )
        return self._last(self._unless_renamed(body))

    def _end_name(self, confirm: str) -> str:
        """Return what gives the old column its new name, once no old code writes it."""
        names = self.names
        return in_place.refuse_on_new(names) + self._watch() + confirm + in_place.contract(names)

    def _end_type(self, confirm: str) -> str:
        """Return what drops the old column, for one of another type."""
        names = self.names
        keep_name, name_again = keep_not_null_name(names)
        return (
            # Privileges are changed without a lock on the table: asked again after the wait.
            f"    FOR look IN 1..2 LOOP\n{refusals.refuse_changes(names)}    IF look = 1 THEN\n"
            f"{self._watch()}    END IF;\n    END LOOP;\n{confirm}{keep_name}"
            f"{types.run(names, *contract.contract_statements(names, [], []))}{name_again}"
        )

    def rollback(self) -> Statements:
        """Return the statements that go back to before the expand: one transaction."""
        names = self.names
        loss = "" if names.keeps_name else self._refuse_loss()
        body = (
            self._begun_back()
            + blocks.refuse_denied()
            + types.refuse_other(names)
            + refusals.refuse_others(names)
            + self._need(
                _BEGUN,
                f"is not under way, so that {names.new} is not a copy",
                "Run the revision itself: alembic downgrade, without --sql.",
            )
            + f"    IF there THEN\n{lock(names, self.options, _SHARE)}{loss}"
            + lock(names, self.options, _ALL)
            # Nothing has kept them equal meanwhile where a trigger is missing or off.
            + f"    IF {unguarded(names)} THEN\n{loss}    END IF;\n    END IF;\n"
            + types.run(names, *rollback.rollback_statements(names), *names.drop_functions())
            + f"{execute(ended.forget_statement(names))}    END IF;\n"
        )
        return self._last(body)

    def restore(self) -> Statements:
        """Return the statements that add the column again, empty, and keep it equal from now on."""
        return self._last(self._unless_renamed(self._add()))

    def _last(self, body: str) -> Statements:
        return Statements([blocks.settings(self.options)], [self._step(body), blocks.RESTORE])

    def _step(self, body: str) -> str:
        return blocks.step(self.names, body, searched=self.searched)

    def _add(self) -> str:
        """Return what adds the column and the triggers, or refuses before anything is made."""
        names = self.names
        return (
            raise_if(
                f"there AND coalesce(noted.phase, {literal(Phase.CONTRACTED)})"
                f" = {literal(Phase.CONTRACTED)}",
                f"{names.relation} already has a column {quote(names.new)}",
                "Drop it, or choose another name.",
            )
            + self._need(
                (_BEGUN | {Phase.NONE, Phase.CONTRACTED}) - {Phase.CONTRACTING, Phase.ROLLING_BACK},
                "is being ended",
                f"To see what is left to run: {names.command('status')}",
            )
            + self._refuse_obstacles(adding=True)
            + (self._learn() if names.conversion is None else "")
            + f"    PERFORM pg_advisory_xact_lock({state.CREATION_LOCK});\n"
            + f"    IF to_regclass('{_STATE}.range') IS NULL THEN\n{execute(*state.SETUP)}"
            + "    END IF;\n"
            + types.bind(names)
            + execute(record.begin(names))
            + types.note(names)
            + self._typed(*(sync.create_functions(names, like) for like in (EXACT, IMAGE)))
            + lock(names, self.options, _ALL)
            + self._typed(*(expand.expand_statements(names, like) for like in (EXACT, IMAGE)))
            + carry(names)
            + execute(state.note_numbers(names), state.set_phase(names, Phase.EXPANDED))
            + execute(ownership.hand_over(names))
        )

    def _typed(self, exact: list[str], image: list[str]) -> str:
        if self.names.conversion is None:
            return execute_typed(exact, image)
        return types.run(self.names, *image)  # which say nothing of the old column's type

    def _not_null(self) -> list[str]:
        """Return what makes the column NOT NULL on any version: by a check that proves it."""
        names, options = self.names, self.options
        add, validate, settle = by_check(names.relation, names.new, names.not_null_check)
        drop = f"ALTER TABLE {names.relation} DROP CONSTRAINT IF EXISTS"
        add = [f"{drop} {quote(names.not_null_check)}", *add]
        needed = f"    IF col.attnotnull AND NOT {NOT_NULL.format(literal(names.new))} THEN\n"
        steps = ((_ALL, add), (_SHARE, validate), (_ALL, [*settle, record.note_not_null(names)]))
        return [
            when(
                Phase.BACKFILLED,
                f"{needed}{lock(names, options, mode)}{execute(*statements)}    END IF;\n",
            )
            for mode, statements in steps
        ]

    def _learn(self) -> str:
        """Refuse indexes that cannot be copied, and names that are taken, before anything is made.

        Those of an earlier run are its own.
        """
        names = self.names
        first = f"coalesce(noted.phase, {literal(Phase.CONTRACTED)}) = {literal(Phase.CONTRACTED)}"
        return (
            f"    IF {first} THEN\n{indexes.learn(names)}{indexes.refuse_taken(names)}    END IF;\n"
        )

    def _indexes(self) -> list[str]:
        names, options = self.names, self.options
        prepare, attach, analyze = (
            self._step(when(Phase.BACKFILLED, body))
            for body in (
                indexes.prepare(names),
                indexes.attach(names, options),
                indexes.analyze(names),
            )
        )
        return [prepare, *indexes.build(names, options), attach, analyze]

    def _unless_renamed(self, body: str) -> str:
        """Do nothing where later code has made the table, or this script has run before."""
        names = self.names
        missing = raise_if(
            "col.attnum IS NULL",
            f"there is no column {quote(names.old)} in {names.relation}",
            f"To see how far the rename has come: {names.command('status')}",
        )
        view = raise_if(
            f"noted.strategy <> {literal(ColumnsStrategy.name)}"
            f" AND noted.phase <> {literal(Phase.CONTRACTED)}",
            f"{said(names)} was begun by another strategy",
            f"To see how to go on: {names.command('status')}",
        )
        other = types.refuse_other(names)
        checks = f"{blocks.refuse_denied()}{missing}{view}{other}{refusals.refuse_others(names)}"
        begins = f"(col.attnum IS NOT NULL OR NOT there) AND NOT {types.is_over(names)}"
        return f"    IF {begins} THEN\n{checks}{body}    END IF;\n"

    def _need(self, phases: Collection[Phase], what: str, hint: str) -> str:
        names = self.names
        return raise_if(
            f"coalesce(noted.phase, {literal(Phase.NONE)}) NOT IN ({listed(phases)})",
            f"{said(names)} {what}",
            hint,
        )

    def _refuse_obstacles(self, *, adding: bool) -> str:
        names = self.names
        published = "publication" in self.options.accept
        query = obstacles(names, adding=adding, published=published)
        return (
            f"    SELECT string_agg(DISTINCT o.what, '; ') INTO hindrance FROM (\n{query}"
            ") AS o (what);\n"
        ) + raise_if(
            "hindrance IS NOT NULL",
            f"a script cannot copy what depends on {names.table}.{names.old}: ",
            "Run the revision itself: alembic, without --sql.",
            fact="hindrance",
        )

    def _refuse_difference(self) -> str:
        names = self.names
        return self._refuse_counted(
            sync.apart(names, IMAGE, quote(names.old), quote(names.new)),
            f" rows of {names.table} differ in {names.old} and {names.new}",
            f"To see which, and what to do, run: {names.command('verify')}",
        )

    def _refuse_lossy(self) -> str:
        names = self.names
        if names.conversion is None or "lossy" in self.options.accept:
            return ""
        return self._refuse_counted(
            conversion.lossy(names),
            f" rows of {names.table} have a value of {names.old} that cannot be computed back",
            "Change them, or write the script with: alembic -x accept=lossy upgrade --sql ...",
        )

    def _begun_back(self) -> str:
        names = self.names
        if not names.keeps_name:
            return "    IF there OR noted.phase IS NOT NULL THEN\n"
        # Once its contract was taken back, the column has its former type.
        over = f"coalesce(noted.phase, '') = {literal(Phase.CONTRACTED)}"
        return f"    IF (there OR noted.phase IS NOT NULL) AND NOT ({over}) THEN\n"

    def _refuse_loss(self) -> str:
        names = self.names
        old, new, made = quote(names.old), quote(names.new), names.conversion
        differ = sync.distinct(IMAGE, old, new)
        if made is not None:
            differ = made.new.differs(conversion.to_new(names, old), new)
        return self._refuse_counted(
            f"{new} IS DISTINCT FROM NULL AND {differ}",
            f" rows of {names.table} have a value in {names.new} that {names.old} has not",
            f"Run first: {names.command('restore')}",
        )

    def _refuse_counted(self, condition: str, message: str, hint: str) -> str:
        # Not as a statement of the block: a column may be called as one of its variables.
        query = f"SELECT count(*) FROM {self.names.relation} WHERE {condition}"
        refusal = raise_if("counted > 0", message, hint, fact="counted")
        if self.names.conversion is None:
            return f"    EXECUTE {literal(query)} INTO counted;\n{refusal}"
        return f"{types.filled(query)}    EXECUTE statement INTO counted;\n{refusal}"

    def _watch(self) -> str:
        """Take the table for itself; refuse if old code has written it within the quiet time."""
        names = self.names
        if names.keeps_name:  # no code has to change
            return lock(names, self.options, _ALL)
        counter = names.old_writes
        return (
            f"    counted := {counter};\n"
            f"    IF EXISTS (SELECT FROM {names.relation}) THEN\n"
            f"{say_wait(names, self.options.quiet)}"
            f"        PERFORM pg_sleep({self.options.quiet});\n    END IF;\n"
            + lock(names, self.options, _ALL)
            + raise_if(
                f"{counter} <> counted",
                f"old code still writes {names.table}.{names.old}",
                "End it, then run this again.",
            )
        )
