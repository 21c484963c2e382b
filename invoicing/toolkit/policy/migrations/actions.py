"""What a migration does, one step at a time, whatever it was written with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

# Stands in a text for a part that cannot be known without running the code.
HOLE = "\ufffc"
# Stands between a schema and a table where that name alone is not enough; it is shown as a dot.
APART = "\ufdd0"

Verb = Literal["create", "drop", "rename", "retype", "lose", "change", "opaque"]


@dataclass(frozen=True)
class ColumnType:
    """A column's type as far as it matters for what fits into it."""

    family: str
    size: int | None = None
    scale: int | None = None
    labels: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Write it as SQL would."""
        numbers = [str(number) for number in (self.size, self.scale) if number is not None]
        inside = ", ".join(self.labels if self.labels is not None else numbers)
        return f"{self.family}({inside})" if inside else self.family


@dataclass(frozen=True)
class Action:
    """One step.

    Attributes:
        verb: `lose` is data going (DELETE, TRUNCATE); `change` needs no name; `opaque` is a step
            that may do anything.
        kind: what it is done to: table, column, index, constraint, type, trigger...
        name: its name; None where the database chooses one.
        table: the table it is on.
        columns: those an index or a constraint covers; None where they are not known.
        uses: what has to outlive it, as (kind, name).
        old, new: a column's types.
        becomes: the name after a rename.
        guarded: it runs only sometimes.
        lenient: IF EXISTS.
        implied: it comes with another step, such as the columns of a new table.
        said: the words to call it by.
        traits: what matters for locks, as `traits.py` has it.
        facts: what it makes of the definition, as `definitions.py` has it.
        was: what it says the definition was before.
    """

    verb: Verb
    kind: str = ""
    name: str | None = None
    table: str | None = None
    columns: tuple[str, ...] | None = None
    uses: tuple[tuple[str, str], ...] = ()
    old: ColumnType | None = None
    new: ColumnType | None = None
    becomes: str | None = None
    guarded: bool = False
    lenient: bool = False
    cascade: bool = False
    temporary: bool = False
    implied: bool = False
    said: str = ""
    traits: frozenset[str] = frozenset()
    facts: tuple[tuple[str, str], ...] = ()
    was: tuple[tuple[str, str], ...] = ()
    line: int = 0
    column: int = 0

    def at(self, line: int, column: int, *, guarded: bool) -> Action:
        """Give the place where it is written."""
        return replace(self, line=line, column=column, guarded=self.guarded or guarded)

    @property
    def called(self) -> str:
        """Say what it is done to."""
        name = shown(self.name) if self.name else ""
        on = (
            f" on {shown(self.table)}"
            if self.table and self.kind not in {"table", "column"}
            else ""
        )
        if self.kind == "column":
            return f"column {shown(self.table)}.{name}" if self.table else f"column {name}"
        return f"{self.kind} {name}{on}".strip() if name else f"unnamed {self.kind}{on}"


def shown(name: str | None) -> str:
    """Write a name with an ellipsis where it is not known."""
    return (name or "…").replace(HOLE, "…").replace(APART, ".")


@lru_cache(maxsize=65_536)
def bare(name: str) -> str:
    """Leave out the schema and the quotes, and fold the case as an unquoted name is folded."""
    return name.rpartition(".")[2].strip('"`[]').lower()


def equal(name: str | None, other: str | None) -> bool:
    """Tell whether two names are surely the same."""
    return name is not None and other is not None and bare(name) == bare(other)


def alike(name: str | None, other: str | None) -> bool:
    """Tell whether two names may be the same: an unknown part may be anything."""
    if name is None or other is None:
        return True
    first, second = bare(name), bare(other)
    return first == second or fits(first, second) or fits(second, first)


def fits(pattern: str, name: str) -> bool:
    """Match a name with holes; one that is nothing but a hole matches all."""
    if HOLE not in pattern:
        return False
    first, *middle, last = pattern.split(HOLE)
    if not (name.startswith(first) and name[len(first) :].endswith(last)):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
