"""The rules of a mapping: where a cell, an amount or a line comes from, and which rows count."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

# What `--suggest` writes where only a person can say what is meant.
TO_FILL_IN = "???"


class MappingPart(BaseModel):
    """A table of the file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _is_filled_in(cls, data: object) -> object:
        for key, value in data.items() if isinstance(data, dict) else ():
            if (unfilled := _unfilled(key, value)) is not None:
                raise ValueError(f"{unfilled} is still {TO_FILL_IN!r}: write what it has to be")
        return data


def _unfilled(key: str, value: object) -> str | None:
    """Return the key that is not filled in, with a dot before one of a table in the table."""
    if isinstance(value, dict):
        return next((f"{key}.{k}" for k, v in value.items() if _unfilled(k, v) is not None), None)
    held = [value] if isinstance(value, str) or not isinstance(value, Iterable) else value
    return key if TO_FILL_IN in held else None


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed), Field(min_length=1)]


class CellRule(MappingPart):
    """Where a cell comes from; exactly one of the first four says it.

    Attributes:
        column: a column of the file.
        columns: several, joined: ids by a slash, texts by a space, without the empty ones.
        either: several, of which the first that is not empty counts.
        value: the same for every row.
        words: what a word of the file means; "*" stands for any other word, "" for none.
        when_empty: what an empty cell means.
        number: for an id: count the rows of equal columns, and put the number behind them.
    """

    column: str | None = None
    columns: list[str] | None = Field(default=None, min_length=1)
    either: list[str] | None = Field(default=None, min_length=1)
    value: str | int | None = None
    words: dict[str, str] | None = None
    when_empty: str | None = None
    number: bool = False

    @model_validator(mode="after")
    def _has_one_origin(self) -> CellRule:
        given = [self.column, self.columns, self.either, self.value]
        if sum(origin is not None for origin in given) != 1:
            message = "give exactly one of column, columns, either and value"
            raise ValueError(message)
        return self

    @property
    def names(self) -> list[str]:
        """The columns that it reads."""
        return self.columns or self.either or ([self.column] if self.column else [])


class AmountRule(MappingPart):
    """Where an amount comes from: column * times * (1 - discount) + plus - minus.

    Attributes:
        column: the amount, or the price of which `times` counts how many.
        times: a factor, such as a quantity.
        discount: a part of one, 0.15 for 15 %; an empty cell is none.
        discount_percent: the same in percent.
        plus: amounts to add, such as a tax that is not in the column; an empty cell is none.
        minus: amounts to take off.
        value: the same for every row.
        sum_of_lines: an invoice's amount is what its lines add up to.
    """

    column: str | None = None
    times: Names | None = None
    discount: str | None = None
    discount_percent: str | None = None
    plus: Names | None = None
    minus: Names | None = None
    value: str | int | None = None
    sum_of_lines: bool = False

    @model_validator(mode="after")
    def _has_one_origin(self) -> AmountRule:
        if (self.column is not None) + (self.value is not None) + self.sum_of_lines != 1:
            message = "give exactly one of column, value and sum_of_lines"
            raise ValueError(message)
        if self.sum_of_lines and (self.times or self.plus or self.minus or self.discount):
            message = "sum_of_lines stands alone; [[invoices.extra_lines]] adds to it"
            raise ValueError(message)
        return self

    @property
    def names(self) -> list[str]:
        """The columns that it reads."""
        single = [self.column, self.discount, self.discount_percent]
        several = [*(self.times or []), *(self.plus or []), *(self.minus or [])]
        return [name for name in single if name is not None] + several


def _cell_rule(value: object) -> object:
    if isinstance(value, str):
        return {"column": value}
    return {"columns": value} if isinstance(value, list) else value


def _amount_rule(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


Cell = Annotated[CellRule, BeforeValidator(_cell_rule)]
Amount = Annotated[AmountRule, BeforeValidator(_amount_rule)]


class RowCondition(MappingPart):
    """Rows whose cell is one of some values, in any case; "*" stands for anything in a value."""

    column: str
    values: Names


class CreditNotes(RowCondition):
    """Which rows are credit notes, and how the file writes their amounts.

    Attributes:
        written: "positive" when the file leaves the minus out, "negative" when it has it.
    """

    written: Literal["positive", "negative"]


class ExtraLine(MappingPart):
    """A line that the invoice's own row has, such as its tax or freight; none where it is zero."""

    description: str
    total: Amount
