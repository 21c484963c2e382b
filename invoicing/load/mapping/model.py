"""A mapping: how files of another system become accounts, invoices and lines.

Written in TOML, and checked here: an unknown key, a column where none fits, or an invalid value
is an error. Options at the top count for every section that does not set its own.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from invoicing.load.mapping.rules import (
    Amount,
    AmountRule,
    Cell,
    CellRule,
    CreditNotes,
    ExtraLine,
    MappingPart,
    Names,
    RowCondition,
)
from invoicing.models import InvoiceStatus
from invoicing.schemas.cells import is_known_currency

NAMED_DATES = ("iso", "excel", "unix", "unix-ms")
# A format is tried on it; of no zone, so that one that asks for a zone is refused.
_CHECKED_DAY = datetime.combine(date(2026, 11, 23), time(17, 45, 31))


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{name!r} is no time zone that this machine knows, such as Europe/Zurich"
        raise ValueError(message) from None
    return name


def _date_format(form: str) -> str:
    if form in NAMED_DATES:
        return form
    day = None
    # Python warns of a form without a year before it tries it.
    if re.search("%[YyGcxDF]", form):
        with suppress(ValueError):
            moment = datetime.strptime(_CHECKED_DAY.strftime(form), form).replace(tzinfo=UTC)
            day = moment.date()
    if day != _CHECKED_DAY.date():
        named = ", ".join(NAMED_DATES)
        message = f"{form!r} is no format of a date: write one such as %d/%m/%Y, or {named}"
        raise ValueError(message)
    return form


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        message = f"{name!r} is no encoding. Common ones: utf-8, utf-16, latin-1, cp1252"
        raise ValueError(message) from None
    return name


class FileOptions(MappingPart):
    """How a file is laid out and how its values are written.

    Attributes:
        file: its name, relative to the mapping; a file named on the command line replaces it.
        sheet: of a workbook; the first when not given.
        header_row: the line that names the columns, where it is not the first.
        encoding: of a CSV or of JSON lines.
        delimiter: of a CSV; found from the header when not given.
        fill_down: columns whose empty cells repeat the row above.
        fill_within: a column; cells are filled only while it stays the same, or is empty.
        skip: rows that are no rows, such as totals.
        only: rows that are; all others are left out.
        source: what stands before each id, so that two systems do not share one.
        ids: "integer" takes 17.0 and 0017 as 17; "text" takes an id as it is written.
        amounts: whether they count whole units ("major": 19.00) or cents ("minor": 1900).
        decimal: the decimal point.
        grouping: between thousands; nothing when not given.
        rounding: of fractions of a cent, which are refused when it is not given.
        dates: formats of dates, tried in turn; a text that two of them read otherwise is refused.
        time_zone: of times that do not say theirs. A date alone stays that day.
        repeated_hour: which of the two is meant in the night that clocks are put back.
        empty: words that mean an empty cell.
    """

    file: str | None = None
    sheet: str | None = None
    header_row: Annotated[int, Field(ge=1)] | None = None
    encoding: Annotated[str, BeforeValidator(_encoding)] | None = None
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    fill_down: Names | None = None
    fill_within: str | None = None
    skip: list[RowCondition] | None = None
    only: list[RowCondition] | None = None
    source: str | None = None
    ids: Literal["text", "integer"] | None = None
    amounts: Literal["major", "minor"] | None = None
    decimal: Literal[".", ","] | None = None
    grouping: Literal["", ",", ".", " ", "'"] | None = None
    rounding: Literal["half-up", "half-even"] | None = None
    dates: Annotated[list[Annotated[str, BeforeValidator(_date_format)]], Field(min_length=1)] | (
        None
    ) = None
    time_zone: Annotated[str, BeforeValidator(_zone)] | None = None
    repeated_hour: Literal["first", "second"] | None = None
    empty: list[str] | None = None


_LAYOUT = ("header_row", "encoding", "delimiter", "fill_down", "fill_within", "skip", "only")


def _differing(options: FileOptions, others: FileOptions) -> str | None:
    """Return what two sections of the same rows say otherwise of how they are laid out."""
    if (options.file, options.sheet) != (others.file, others.sheet):
        return None
    return next((name for name in _LAYOUT if getattr(options, name) != getattr(others, name)), None)


class MappedWords(MappingPart):
    """What words of the files mean, wherever they stand."""

    status: dict[str, InvoiceStatus] = Field(default_factory=dict)
    currency: dict[str, str] = Field(default_factory=dict)
    plan: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _are_currencies(self) -> MappedWords:
        for word, code in self.currency.items():
            if not is_known_currency(code):
                message = f"{word!r} means {code!r}, which is no ISO 4217 code of three capitals"
                raise ValueError(message)
        return self


class Section(FileOptions):
    """One of the three tables.

    Attributes:
        repeated: when a row of the file is one of several about the same id: "same" refuses rows
            that differ, "first" and "last" say which counts.
    """

    repeated: Literal["same", "first", "last"] = "same"

    def rules(self) -> dict[str, CellRule | AmountRule]:
        """Return the rule of each column that has one."""
        named = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: rule for name, rule in named if isinstance(rule, CellRule | AmountRule)}


class AccountsSection(Section):
    """Where accounts come from."""

    id: Cell
    name: Cell
    plan: Cell


class InvoicesSection(Section):
    """Where invoices come from."""

    id: Cell
    account_id: Cell
    amount: Amount
    currency: Cell
    status: Cell | None = None
    issued_at: Cell | None = None
    created_at: Cell | None = None
    credit_notes: CreditNotes | None = None
    extra_lines: list[ExtraLine] = Field(default_factory=list)

    @model_validator(mode="after")
    def _means_something(self) -> InvoicesSection:
        if self.status is not None:
            meant = [self.status.value, self.status.when_empty, *(self.status.words or {}).values()]
            for status in meant:
                if status is not None and status not in set(InvoiceStatus):
                    message = f"{status!r} is no status: {', '.join(InvoiceStatus)}"
                    raise ValueError(message)
        code = self.currency.value
        if code is not None and not is_known_currency(str(code)):
            message = f"currency {code!r} is no ISO 4217 code of three capitals"
            raise ValueError(message)
        return self


class LinesSection(Section):
    """Where lines come from.

    Attributes:
        currency: to be compared with the invoice's; not needed, and not kept.
    """

    id: Cell
    invoice_id: Cell
    description: Cell | None = None
    total: Amount
    currency: Cell | None = None
    credit_notes: CreditNotes | None = None


class Mapping(FileOptions):
    """The whole file."""

    words: MappedWords = MappedWords()
    accounts: AccountsSection | None = None
    invoices: InvoicesSection | None = None
    lines: LinesSection | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Mapping:
        sections = self.sections()
        if not sections:
            message = "it has none of [accounts], [invoices] and [lines]"
            raise ValueError(message)
        for kind, section in sections.items():
            options = self.options(kind)
            if options.file is None:
                message = f"[{kind}] has no file, and there is none at the top"
                raise ValueError(message)
            if kind != "accounts" and options.amounts is None:
                message = 'it lacks amounts = "major" (19.00) or amounts = "minor" (1900)'
                raise ValueError(message)
            if options.decimal and options.decimal == options.grouping:
                message = f"[{kind}] has the same character as decimal and as grouping"
                raise ValueError(message)
            for other in self.sections():
                if (differing := _differing(options, self.options(other))) is not None:
                    message = (
                        f"[{kind}] and [{other}] read the same file with another {differing}: "
                        "write it once, at the top, or in both"
                    )
                    raise ValueError(message)
            if section.repeated != "same" and options.file not in self._shared(kind):
                message = f"[{kind}] repeated is for a file that holds another table too"
                raise ValueError(message)
        derived = self.invoices is not None and self.invoices.amount.sum_of_lines
        if derived and self.lines is None and not (self.invoices and self.invoices.extra_lines):
            message = "[invoices] amount is the sum of lines, and there is no [lines]"
            raise ValueError(message)
        return self

    def _shared(self, kind: str) -> list[str | None]:
        return [self.options(other).file for other in self.sections() if other != kind]

    def sections(self) -> dict[str, Section]:
        """Return the sections there are, in the order in which they are loaded."""
        named: dict[str, Section | None] = {
            "accounts": self.accounts,
            "invoices": self.invoices,
            "lines": self.lines,
        }
        return {kind: section for kind, section in named.items() if section is not None}

    def options(self, kind: str) -> FileOptions:
        """Return the options of a section, with those of the top where it has none."""
        section = self.sections()[kind]
        names = FileOptions.model_fields
        own = {name: getattr(section, name) for name in names}
        top = {name: getattr(self, name) for name in names}
        return FileOptions.model_construct(
            **{name: top[name] if own[name] is None else own[name] for name in names}
        )
