"""The types of a rename's two columns, and how the value of each is made of the other's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Loss = Literal["error", "gate"]
# What a conversion's functions are called, each before what it needs.
FUNCTIONS = ("to_new", "to_old", "same", "convertible", "forward", "back")
# Types whose cast cuts off what an assignment refuses: nothing may be cast to them.
_CUT = ("varchar", "bpchar", "bit", "varbit")
CUT_BY_CAST = frozenset({*_CUT, *(f"_{name}" for name in _CUT)})


@dataclass(frozen=True)
class Side:
    """One of the two columns.

    Attributes:
        type: with its length, scale or precision.
        type_name: as the catalog has it.
        category: the catalog's: N for numbers, T for intervals, A for arrays.
        expression: what the other column's value is in it, over that column's name.
    """

    type: str
    type_name: str
    category: str
    expression: str

    def as_stored(self, value: str) -> str:
        """Return a value as this column would keep it: rounded, but never cut off."""
        return value if self.type_name in CUT_BY_CAST else f"({value})::{self.type}"

    def differs(self, left: str, right: str) -> str:
        """Return SQL that is true of two values; 1.0 and 1.00 are one, 'A' and 'a' never are.

        Two arrays of the same elements may be stored in different ways.
        """
        equal = self.category in {"N", "T", "A"} or self.type_name == "bpchar"
        function = "record_ne" if equal else "record_image_ne"
        return f"pg_catalog.{function}(ROW({left}), ROW({right}))"


@dataclass(frozen=True)
class Conversion:
    """The types of both columns, and how each is computed from the other.

    Attributes:
        old, new: the two sides.
        loss: what happens to a write whose value cannot be computed back: an error, or the gate.
        scaled: whether an expression was given, so that values need not mean the same.
        asked: the options that it was begun with.
    """

    old: Side
    new: Side
    loss: Loss
    scaled: bool
    asked: dict[str, str | None]

    def reversed(self) -> Conversion:
        """Return that of the way back."""
        return Conversion(self.new, self.old, self.loss, self.scaled, {})

    def as_dict(self) -> dict[str, Any]:
        """Return it for the rename's row."""
        return asdict(self)

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> Conversion:
        """Return the conversion of a rename's row."""
        sides = {name: Side(**noted[name]) for name in ("old", "new")}
        return cls(**dict(noted) | sides)

    def __str__(self) -> str:
        forward, back = self.new.expression, self.old.expression
        return f"{self.old.type} becomes {self.new.type} by {forward}, and back by {back}"
