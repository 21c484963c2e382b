"""Names in SQL: quoted, and the names of the objects that a rename makes.

They are made from the table's and the columns' names alone, so that a script written without a
connection (`alembic upgrade --sql`) makes the same objects as a run.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING

from invoicing.toolkit.rename import nodes
from invoicing.toolkit.rename.retype.sides import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from invoicing.toolkit.rename.retype.sides import Conversion

LIMIT = 63
STATE = "invoicing_rename"
# Triggers fire in the order of their names, by bytes: these are before and after what people name.
FIRST, LAST = "!z_rename_", "~z_rename_"
# Every trigger of a rename's, as a pattern; those of former versions, too.
OWN_TRIGGERS = "^[!z~]z_rename_"
# A comment in our own statements, by which pg_stat_statements tells them from others'.
MARK = "/* invoicing rename */"


def quote(name: str) -> str:
    """Return `name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return `text` as a string literal, whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def qualified(schema: str, name: str) -> str:
    """Return `schema.name`, both quoted."""
    return f"{quote(schema)}.{quote(name)}"


def shortened(name: str) -> str:
    """Return `name` in at most 63 bytes; what is cut off is replaced by a digest of the whole."""
    if len(name.encode()) <= LIMIT:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return name.encode()[: LIMIT - 9].decode(errors="ignore") + "_" + digest


def renamed(name: str, old: str, new: str) -> str | None:
    """Return an index's or a constraint's name with the new column's in it; None if it had none.

    `ix_invoice_amt` becomes `ix_invoice_amount_cents`: what a naming convention expects.
    """
    pattern = rf"(?<![^\W_]){re.escape(old)}(?![^\W_])"
    changed, found = re.subn(pattern, lambda _: new, name)
    return shortened(changed) if found else None


def working_name(column: str) -> str:
    """Return what a column's second one is called while only the type changes.

    It goes by the column alone, so that every phase finds it; no other has that name by chance.
    """
    return f"invoicing_retype_{sha256(column.encode()).hexdigest()[:12]}"


def is_working_name(column: str) -> bool:
    """Tell whether a column is one of those."""
    return re.fullmatch("invoicing_retype_[0-9a-f]{12}", column) is not None


def command(verb: str, names: Sequence[str], options: Sequence[str]) -> str:
    """Return the command line of a phase, as a shell reads it."""
    words = ["invoicing", "rename", verb]
    table, old, new = names
    if new == working_name(old):
        words[1], names, options = "retype", [table, old], list(options)
        if "--type" in options:
            place = options.index("--type")
            names, options = [*names, options[place + 1]], options[:place] + options[place + 2 :]
    if any(name.startswith("-") for name in names):
        return shlex.join([*words, *options, "--", *names])
    return shlex.join([*words, *names, *options])


def _trigger_name(names: Names, what: str) -> str:
    return f"{LAST}{names.key}_{what}"


def own_name(trigger: str) -> str:
    """Return what the function of a trigger of ours is called."""
    return trigger.removeprefix(FIRST).removeprefix(LAST)


def former(trigger: str) -> str:
    """Return what former versions called a trigger of ours."""
    return f"zz_rename_{own_name(trigger)}"


class _TriggerName:
    """The name of a trigger, as an attribute of `Names`."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __get__(self, names: Names, owner: type[Names]) -> str:
        return _trigger_name(names, self._what)


@dataclass(frozen=True)
class Names:
    """What a rename calls the objects it makes, and how it computes each column from the other.

    Attributes:
        shard: what Citus calls the table on its node; None where the rows are on this server.
    """

    schema: str
    table: str
    old: str
    new: str
    conversion: Conversion | None = field(default=None, compare=False)
    shard: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """Return a digest that tells this rename from any other in the database."""
        parts = f"{self.schema}\0{self.table}\0{self.old}\0{self.new}"
        return sha256(parts.encode()).hexdigest()[:12]

    @property
    def keeps_name(self) -> bool:
        """Return whether only the type changes: no client knows the new column."""
        return self.new == working_name(self.old)

    def reversed(self) -> Names:
        """Return those of the way back: the new name to the old one."""
        back = self.conversion.reversed() if self.conversion is not None else None
        return Names(self.schema, self.table, self.new, self.old, back, self.shard)

    def command(self, verb: str) -> str:
        """Return the command line of a phase."""
        options = [] if self.schema == "public" else ["--schema", self.schema]
        return command(verb, [self.table, self.old, self.new], options)

    @property
    def relation(self) -> str:
        """Return the table, qualified and quoted."""
        return qualified(self.schema, self.table)

    # Each of these has to see what the others have made of a row.
    # Keeps both columns equal in an update.
    sync_trigger = _TriggerName("sync")
    # Keeps both columns equal in an insert.
    insert_trigger = _TriggerName("insert")
    # Refuses what new code writes to a row not filled yet.
    early_trigger = _TriggerName("early")
    # Counts statements which name the old column.
    count_trigger = _TriggerName("count")
    # Refuses an update which gives both columns, and two values.
    both_trigger = _TriggerName("old")

    @property
    def notes(self) -> dict[str, str]:
        """Return the triggers that only note something, by what they note."""
        return {what: _trigger_name(self, what) for what in ("begin", "begin_update", "end", "new")}

    @property
    def functions(self) -> list[str]:
        """Return the triggers that have a function of their own."""
        if self.keeps_name:
            return [self.sync_trigger, self.insert_trigger]
        return [
            self.sync_trigger,
            self.insert_trigger,
            self.early_trigger,
            self.count_trigger,
            self.both_trigger,
        ]

    @property
    def statement_triggers(self) -> list[str]:
        """Return those that fire once for a statement, on each table of the tree."""
        if self.keeps_name:
            return []
        return [self.count_trigger, *(self.notes[n] for n in ("begin", "begin_update", "end"))]

    @property
    def triggers(self) -> list[str]:
        """Return all of them."""
        return [*self.functions, *([] if self.keeps_name else self.notes.values())]

    @property
    def default_trigger(self) -> str:
        """Return the trigger that gives a row behind a view the column's default."""
        return f"{FIRST}{self.key}_default"

    def function(self, trigger: str) -> str:
        """Return the function of one of the triggers, qualified."""
        return qualified(STATE, own_name(trigger))

    @property
    def sequence(self) -> str:
        """Return the counter of old-style writes, qualified."""
        return qualified(STATE, f"{self.key}_old_writes")

    @property
    def old_writes(self) -> str:
        """Return SQL for how many old-style writes were counted, on whichever node."""
        if self.shard is not None:
            return nodes.counted(literal(self.sequence))
        return f"(SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {self.sequence})"

    def create_counter(self) -> list[str]:
        """Return the statements that make the counter; they lock nothing."""
        return [
            # The application's accounts write through the triggers, and may do nothing else here.
            f"GRANT USAGE ON SCHEMA {quote(STATE)} TO PUBLIC",
            *self._everywhere(
                f"CREATE SEQUENCE IF NOT EXISTS {self.sequence}",
                f"GRANT USAGE, SELECT ON SEQUENCE {self.sequence} TO PUBLIC",
            ),
        ]

    def create_function(self, trigger: str, body: str) -> str:
        """Return the statement that makes the function of one of the triggers."""
        tag = f"$rename_{self.key}$"
        return (
            f"CREATE OR REPLACE FUNCTION {self.function(trigger)}() RETURNS trigger"
            f" LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS {tag}\n{body}{tag}"
        )

    def drop_functions(self) -> list[str]:
        """Return the statements that drop the functions and the counter."""
        made = [*self.functions, self.default_trigger]
        functions = [f"DROP FUNCTION IF EXISTS {self.function(name)}()" for name in made]
        if self.conversion is not None:
            functions += [
                f"DROP FUNCTION IF EXISTS {qualified(STATE, f'{self.key}_{what}')}"
                for what in FUNCTIONS
            ]
        # A shard that has moved leaves a copy behind, whose triggers still use them.
        left = [nodes.CLEAN] if self.shard is not None else []
        counter = self._everywhere(f"DROP SEQUENCE IF EXISTS {self.sequence}")
        return [*left, *functions, *counter]

    def _everywhere(self, *statements: str) -> list[str]:
        """Return statements for every node that may have the rows; functions go there by Citus."""
        if self.shard is None:
            return list(statements)
        return [nodes.on_every_node(literal(statement)) for statement in statements]

    @property
    def not_null_check(self) -> str:
        """Return the constraint that proves NOT NULL where that cannot be added NOT VALID."""
        return f"rename_{self.key}_not_null"

    @property
    def lock_key(self) -> int:
        """Return the advisory lock's key: one for each table, whatever column is renamed."""
        table = sha256(f"{self.schema}\0{self.table}".encode()).digest()
        return int.from_bytes(table[:8], signed=True)
