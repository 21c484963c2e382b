"""What the clients of live traffic believe is in the table, and whether it is.

A write that was acknowledged leaves one amount that its row may have; one whose connection died
before the answer came leaves two, for it cannot be known. Only one client at a time is at work on a
row, so that the last write is known; the exception are the shared rows, to which everybody adds,
for the order of additions does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random
    from uuid import UUID

    from invoicing.db import Database
    from invoicing.practice.code import CodeVersion


class NoRow(Enum):
    """That there is no row: an amount may also be NULL, which is None."""

    NO_ROW = "no row"


NO_ROW = NoRow.NO_ROW
Amount: TypeAlias = int | NoRow | None
Effect: TypeAlias = "Callable[[Amount], Amount]"
_CHUNK = 5_000


def show_amount(amount: Amount) -> str:
    """Return how a message names `amount`."""
    if isinstance(amount, int):
        return f"{amount:,}"
    return "NULL" if amount is None else amount.value


class Ledger:
    """For each row that traffic wrote or adopted, the amounts it may have."""

    def __init__(self) -> None:
        self._amounts: dict[UUID, frozenset[Amount]] = {}
        self._free: list[UUID] = []
        self._shared: list[UUID] = []

    def __len__(self) -> int:
        return len(self._amounts)

    @property
    def rows(self) -> tuple[UUID, ...]:
        """Every row it knows of, deleted ones too."""
        return tuple(self._amounts)

    @property
    def uncertain(self) -> int:
        """How many rows may have one of several amounts, or none."""
        return sum(len(amounts) > 1 for amounts in self._amounts.values())

    def amounts(self, row: UUID) -> frozenset[Amount]:
        """Return what `row` may hold."""
        return self._amounts[row]

    def adopt(self, row: UUID, amount: Amount, *, shared: bool = False) -> None:
        """Enter a row that is there already; to a `shared` one everybody adds at any time."""
        self._amounts[row] = frozenset([amount])
        (self._shared if shared else self._free).append(row)

    def open(self, row: UUID) -> None:
        """Enter a row that is about to be inserted; only the caller is at work on it."""
        self._amounts[row] = frozenset([NO_ROW])

    def take(self, random: Random) -> UUID | None:
        """Return a row that no client works on, for the caller alone; None if there is none."""
        if not self._free:
            return None
        place = random.randrange(len(self._free))
        self._free[place], self._free[-1] = self._free[-1], self._free[place]
        return self._free.pop()

    def pick_shared(self, random: Random) -> UUID | None:
        """Return one of the shared rows, None if there are none."""
        return random.choice(self._shared) if self._shared else None

    def acknowledge(self, row: UUID, effect: Effect) -> None:
        """Enter a write that was acknowledged."""
        self._amounts[row] = frozenset(map(effect, self._amounts[row]))

    def doubt(self, row: UUID, effect: Effect) -> None:
        """Enter a write that may have happened or not."""
        self._amounts[row] |= frozenset(map(effect, self._amounts[row]))

    def release(self, row: UUID) -> None:
        """Let others have a row again; a deleted or an uncertain one is left alone from now on."""
        (amount, *others) = self._amounts[row]
        if amount is not NO_ROW and not others:
            self._free.append(row)


@dataclass(frozen=True)
class LedgerDifference:
    """One row that is not as its last acknowledged write left it.

    Attributes:
        row: its id.
        column: the column that was read.
        expected: the amounts it may have.
        found: the amount it has.
    """

    row: UUID
    column: str
    expected: frozenset[Amount]
    found: Amount

    def __str__(self) -> str:
        expected = " or ".join(sorted(map(show_amount, self.expected)))
        return f"{self.row}: {self.column} should be {expected}, and is {show_amount(self.found)}"


@dataclass(frozen=True)
class LedgerReport:
    """What comparing a ledger with the table found.

    Attributes:
        rows: how many rows were compared.
        gone: how many of them should not be there, and are not.
        uncertain: how many may have had one of several amounts; each has one of these.
        differences: those that do not.
    """

    rows: int
    gone: int
    uncertain: int
    differences: tuple[LedgerDifference, ...] = ()

    @property
    def intact(self) -> bool:
        """Whether every acknowledged write was found with its last value."""
        return not self.differences


async def verify_ledger(database: Database, ledger: Ledger, *codes: CodeVersion) -> LedgerReport:
    """Compare `ledger` with the table, through the name that each of `codes` knows.

    Call it when the traffic has stopped; a write whose connection died may still be under way on
    the server for a moment.
    """
    differences: list[LedgerDifference] = []
    for code in codes:
        for first in range(0, len(ledger), _CHUNK):
            rows = ledger.rows[first : first + _CHUNK]
            found = await _amounts(database, code, rows)
            differences += [
                LedgerDifference(row, code.column, ledger.amounts(row), found[row])
                for row in rows
                if found[row] not in ledger.amounts(row)
            ]
    gone = sum(ledger.amounts(row) == {NO_ROW} for row in ledger.rows)
    return LedgerReport(len(ledger), gone, ledger.uncertain, tuple(differences))


async def _amounts(
    database: Database, code: CodeVersion, rows: Iterable[UUID]
) -> dict[UUID, Amount]:
    async with database.read_only() as session:
        found = await session.execute(code.amounts_of(), {"ids": list(rows)})
        amounts: dict[UUID, Amount] = dict.fromkeys(rows, NO_ROW)
        amounts.update((row, amount) for row, amount in found)
        return amounts
