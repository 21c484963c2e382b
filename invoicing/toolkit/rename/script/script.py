"""The same rename as SQL for psql: what `alembic upgrade --sql` writes, batched commits included.

A script is written without a connection, so it takes everything but the names from the catalog when
it runs: the column's type, whether it may be NULL, how far the rename has come. What it cannot
copy it refuses (see `obstacles`).

Every step is one statement that asks for what it needs before it does anything: psql goes on after
an error by default. The last step, which drops a column or says that every row is equal,
belongs to the transaction in which Alembic writes the version (see `stamp`). Each may be run again:
a script that was interrupted is started anew, and goes on at the batch where it was.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename import ended, ownership, state
from invoicing.toolkit.rename.columns import contract, expand, rollback, sync
from invoicing.toolkit.rename.columns.copies.not_null import by_check
from invoicing.toolkit.rename.columns.strategy import ColumnsStrategy
from invoicing.toolkit.rename.contract import in_other_schema
from invoicing.toolkit.rename.model import Phase
from invoicing.toolkit.rename.names import STATE, literal, quote
from invoicing.toolkit.rename.retype import conversion
from invoicing.toolkit.rename.script import batches, blocks, record, types
from invoicing.toolkit.rename.script.blocks import (
    EXACT,
    IMAGE,
    execute,
    execute_typed,
    lock,
    raise_if,
)
from invoicing.toolkit.rename.script.changes import changes, keep_not_null_name
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
            + self._refuse_unguarded()
            + raise_if(
                f"col.attnotnull AND NOT {NOT_NULL.format(literal(names.new))}",
                f"{names.table}.{names.new} may be NULL, and {names.old} may not",
                "Run the script again.",
            )
            + self._refuse_difference()
            + execute(state.set_phase(names, Phase.VERIFIED))
        )
        before = [
            blocks.settings(self.options),
            self._step(self._unless_renamed(again)),
            self._step(when(Phase.EXPANDED, execute(*batches.cut(names, self.options)))),
            batches.backfill(names, self.options),
            self._step(when(Phase.EXPANDED, execute(*batches.filled(names)))),
            *map(self._step, self._not_null()),
        ]
        return Statements(before, [self._step(self._unless_renamed(verify)), blocks.RESTORE])

    def contract(self, confirmed: str | None) -> Statements:
        """Return the statements of the gate and the contract: one transaction."""
        names = self.names
        confirm = self._refuse_rows(confirmed)
        keep_name, name_again = keep_not_null_name(names)
        forget = execute(ended.forget_statement(names))
        advice = f"Run the expand first. To see where it stands: {names.command('status')}"
        body = (
            confirm
            + self._need({Phase.VERIFIED, Phase.CONTRACTING}, "is not filled and verified", advice)
            + lock(names, self.options, _SHARE)
            + self._refuse_obstacles(adding=False)
            + self._refuse_unguarded()
            + self._refuse_difference()
            + self._refuse_lossy()
            # Privileges are changed without a lock on the table: asked again after the wait.
            + f"    FOR look IN 1..2 LOOP\n{self._refuse_changes()}    IF look = 1 THEN\n"
            + f"{self._watch()}    END IF;\n    END LOOP;\n"
            + confirm
            + keep_name
            + types.run(names, *contract.contract_statements(names, [], []))
            + name_again
            + execute(state.set_phase(names, Phase.CONTRACTED), *names.drop_functions())
            + execute(f"DELETE FROM {_STATE}.range WHERE key = {literal(names.key)}")
            # Of an empty table nothing was lost, so that there is no way back to keep.
            + f"    IF NOT EXISTS (SELECT FROM {names.relation}) THEN\n{forget}"
            + "    END IF;\n"
        )
        return self._last(self._unless_renamed(body))

    def rollback(self) -> Statements:
        """Return the statements that go back to before the expand: one transaction."""
        names = self.names
        loss = "" if names.keeps_name else self._refuse_loss()
        body = (
            self._begun_back()
            + blocks.refuse_denied()
            + types.refuse_other(names)
            + self._refuse_others()
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
            + f"    PERFORM pg_advisory_xact_lock({state.CREATION_LOCK});\n"
            + f"    IF to_regclass('{_STATE}.range') IS NULL THEN\n{execute(*state.SETUP)}"
            + "    END IF;\n"
            + types.bind(names)
            + execute(record.begin(names))
            + types.note(names)
            + self._typed(*(sync.create_functions(names, like) for like in (EXACT, IMAGE)))
            + lock(names, self.options, _ALL)
            + self._typed(*(expand.expand_statements(names, like) for like in (EXACT, IMAGE)))
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
        checks = f"{blocks.refuse_denied()}{missing}{view}{other}{self._refuse_others()}"
        begins = f"(col.attnum IS NOT NULL OR NOT there) AND NOT {types.is_over(names)}"
        return f"    IF {begins} THEN\n{checks}{body}    END IF;\n"

    def _refuse_others(self) -> str:
        """Refuse while another rename of the table is under way, the way back included."""
        names = self.names
        return (
            f"    counted := 0;\n    IF to_regclass('{_STATE}.rename') IS NOT NULL THEN\n"
            f"        SELECT count(*) INTO counted FROM {_STATE}.rename AS r"
            f" WHERE r.schema_name = {literal(names.schema)}"
            f" AND r.table_name = {literal(names.table)} AND r.key <> {literal(names.key)}"
            f" AND r.phase <> {literal(Phase.CONTRACTED)};\n    END IF;\n"
        ) + raise_if(
            "counted > 0",
            f"another rename of {names.table} is under way, or this one was contracted and the"
            " old column was added again",
            "End that first, or run the revision itself: alembic, without --sql.",
        )

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

    def _refuse_changes(self) -> str:
        names = self.names
        return (
            "    SELECT string_agg(c.statement, '; ' ORDER BY c.statement COLLATE \"C\")"
            f" INTO hindrance FROM ({changes(names)}) AS c (statement);\n"
        ) + raise_if(
            "hindrance IS NOT NULL",
            f"{names.old} of {names.relation} was changed since the expand, and {names.new} was"
            " not. To have the same there, run: ",
            f"Then run the script again. Or take it back on {names.old}.",
            fact="hindrance",
        )

    def _refuse_unguarded(self) -> str:
        names = self.names
        return raise_if(
            unguarded(names),
            f"the triggers that keep {names.old} and {names.new} equal are missing or off",
            f"Run: {names.command('expand')}",
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

    def _refuse_rows(self, confirmed: str | None) -> str:
        """Refuse what was not confirmed; by the name without a schema, where that has two."""
        names = self.names
        bare = f"{names.table}.{names.old}"
        whole = f"{names.schema}.{bare}"
        if confirmed == whole:
            return ""
        rows, confirm = f"EXISTS (SELECT FROM {names.relation})", bare
        parts = map(literal, (names.schema, names.table, names.old))
        if confirmed is not None:
            rows, confirm = f"{rows} AND {in_other_schema(*parts)}", whole
        argument = shlex.quote(f"confirm={confirm}")
        return raise_if(
            rows,
            f"{confirm} has rows, and dropping it was not confirmed",
            f"Write the script with: alembic -x {argument} upgrade --sql ...",
        )

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
