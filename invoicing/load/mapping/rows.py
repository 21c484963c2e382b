"""A row of a file, converted as a section of the mapping says."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from invoicing.load.mapping.cells import (
    Columns,
    id_reader,
    names_read,
    text_reader,
    word_reader,
)
from invoicing.load.mapping.values import EXACT, Amounts, CellError, Moments
from invoicing.models import InvoiceStatus
from invoicing.schemas.cells import is_known_currency

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from invoicing.load.mapping.cells import Reader
    from invoicing.load.mapping.model import FileOptions, MappedWords
    from invoicing.load.mapping.rules import AmountRule, CellRule, CreditNotes
    from invoicing.load.source import InputSource

    _Number = Callable[[Sequence[object]], tuple[Decimal, str | None]]

_STATUSES = {status.value: status.value for status in InvoiceStatus}
_HUNDRED = Decimal(100)


class BadCellsError(Exception):
    """A row cannot be converted.

    Attributes:
        problems: for each, the rule, the column and what is wrong.
        row: what could be converted.
    """

    def __init__(self, problems: list[tuple[str, str, str]], row: dict[str, Any]) -> None:
        self.problems = problems
        self.row = row
        super().__init__(problems)


class RowConverter:
    """Converts the rows of one section.

    Attributes:
        fields: what each of our columns is read from, as problems name it.
    """

    def __init__(self, source: InputSource, options: FileOptions, words: MappedWords) -> None:
        self.fields: dict[str, str] = {}
        self._options = options
        self._words = words
        self._columns = Columns(source, options)
        currencies = {word.strip().casefold(): code for word, code in words.currency.items()}
        self._amounts = Amounts(options, currencies)
        self._moments = Moments(options)
        self._readers: dict[str, Reader] = {}

    @property
    def used(self) -> set[str]:
        """The file's columns that it reads."""
        return self._columns.read

    @property
    def columns(self) -> list[str]:
        """Our columns that it fills."""
        return [*self._readers]

    def add(self, name: str, rule: CellRule) -> None:
        """Read one of our columns by a rule."""
        self.fields[name] = self._columns.key(*names_read(self._columns, rule))
        if name == "id" or name.endswith("_id"):
            self._readers[name] = id_reader(self._columns, rule, self._options)
            return
        read = text_reader(self._columns, rule)
        match name:
            case "status":
                words = {word: status.value for word, status in self._words.status.items()}
                self._readers[name] = word_reader(read, rule, words, _STATUSES, "status")
            case "currency":
                self._readers[name] = self._currency(read, rule)
            case "issued_at" | "created_at":
                self._readers[name] = self._moment(read)
            case _:
                meant = self._words.plan if name == "plan" else {}
                known = {**meant, **(rule.words or {})}
                self._readers[name] = _text(read, known) if known else read

    def _currency(self, read: Reader, rule: CellRule) -> Reader:
        own = {w.strip().casefold(): code for w, code in (rule.words or {}).items()}

        def code(cells: Sequence[object]) -> str:
            value = read(cells)
            if value is None and "" not in own:
                raise CellError("empty-value", "is empty")
            word = "" if value is None else str(value)
            return own.get(word.casefold()) or self._amounts.currency(word)

        return code

    def _moment(self, read: Reader) -> Reader:
        return lambda cells: None if (value := read(cells)) is None else self._moments.read(value)

    def add_line_of(self, description: str, invoice_id: CellRule) -> None:
        """Read the id of a line that an invoice's own row has: the invoice's, and its name."""
        self.add("invoice_id", invoice_id)
        read = self._readers["invoice_id"]
        self.fields["id"] = self.fields["invoice_id"]
        self.fields["description"] = ""
        self._readers["id"] = lambda cells: (id_ := read(cells)) and f"{id_}/{description}"
        self._readers["description"] = lambda _: description

    def add_amount(
        self, name: str, rule: AmountRule, credit: CreditNotes | None, *, scaled: bool = True
    ) -> None:
        """Read one of our amounts, after the currency; unscaled when only the server knows it."""
        self.fields[name] = self._columns.key(*dict.fromkeys(rule.names))
        read = self._amount(rule, self._sign(credit, whole=name == "amount_cents"))
        currency = self._readers.get("currency")
        at = self.fields[name]

        def minor(cells: Sequence[object]) -> int:
            amount, beside = read(cells)
            code = beside
            if currency is not None:
                try:
                    code = currency(cells)
                except CellError as error:
                    # The same as the currency's own problem, which is noted once.
                    raise CellError(error.rule, error.message, self.fields["currency"]) from None
            if beside is not None and code is not None and beside != code:
                message = f"is in {beside}, and the row is in {code}"
                raise CellError("currency-mismatch", message, at)
            if not self._amounts.major:
                return self._amounts.minor(amount, "")
            if code is None or not is_known_currency(code):
                raise CellError("bad-currency", "has no currency that is known", at)
            return self._amounts.minor(amount, code)

        self._readers[name] = minor if scaled else lambda cells: read(cells)[0]
        if not scaled and currency is None:
            self._readers["currency"] = lambda cells: read(cells)[1]

    def _amount(self, rule: AmountRule, sign: Callable[..., Decimal]) -> _Number:
        base = self._number(rule.column, rule.value)
        times = [self._number(name) for name in rule.times or ()]
        added: list[tuple[_Number, Callable[[Decimal, Decimal], Decimal]]]
        added = [(self._number(name, empty=0), EXACT.add) for name in rule.plus or ()]
        added += [(self._number(name, empty=0), EXACT.subtract) for name in rule.minus or ()]
        part = rule.discount or rule.discount_percent
        discount = self._number(part, empty=0) if part else None
        part_key = self._columns.key(part) if part else ""
        whole = Decimal(1) if rule.discount else _HUNDRED

        def read(cells: Sequence[object]) -> tuple[Decimal, str | None]:
            amount, beside = base(cells)
            for factor in times:
                amount = EXACT.multiply(amount, factor(cells)[0])
            if discount is not None:
                rest = EXACT.subtract(whole, discount(cells)[0])
                if not 0 <= rest <= whole:
                    raise CellError("bad-discount", f"is no part of {whole}", part_key)
                amount = EXACT.multiply(amount, EXACT.divide(rest, whole))
            for other, operation in added:
                value, second = other(cells)
                amount = operation(amount, value)
                beside = beside or second
            return sign(cells, amount), beside

        return read

    def _number(
        self, name: str | None, value: object = None, *, empty: int | None = None
    ) -> _Number:
        if name is None:
            constant = self._amounts.read(str(value))
            return lambda _: constant
        cell, key, amounts = self._columns.cell(name), self._columns.key(name), self._amounts

        def read(cells: Sequence[object]) -> tuple[Decimal, str | None]:
            found = cell(cells)
            if found is None:
                if empty is None:
                    raise CellError("empty-value", "is empty", key)
                return Decimal(empty), None
            try:
                return amounts.read(found)
            except CellError as error:
                error.column = error.column or key
                raise

        return read

    def _sign(self, credit: CreditNotes | None, *, whole: bool) -> Callable[..., Decimal]:
        """Return what gives credit notes their sign; a line of one may be a discount."""
        if credit is None:
            return lambda _, amount: amount
        is_credit = self._columns.is_met([credit])
        positive = credit.written == "positive"

        def signed(cells: Sequence[object], amount: Decimal) -> Decimal:
            if not is_credit(cells):
                return amount
            if whole and amount and (amount > 0) != positive:
                message = f"is of a credit note, and is not {credit.written} as the mapping says"
                raise CellError("credit-note-sign", message)
            return EXACT.minus(amount) if positive else amount

        return signed

    def convert(self, cells: Sequence[object]) -> dict[str, Any]:
        """Return our columns of a row.

        Raises:
            BadCellsError: some of its cells are invalid.
        """
        row: dict[str, Any] = {}
        problems = []
        for name, read in self._readers.items():
            try:
                row[name] = read(cells)
            except CellError as error:
                problems.append((error.rule, error.column or self.fields[name], error.message))
            except InvalidOperation:
                message = "has more digits than can be kept"
                problems.append(("out-of-range", self.fields[name], message))
        if problems:
            raise BadCellsError(list(dict.fromkeys(problems)), row)
        return row


def _text(read: Reader, words: dict[str, str]) -> Reader:
    known = {word.strip().casefold(): meant for word, meant in words.items()}

    def text(cells: Sequence[object]) -> object:
        value = read(cells)
        word = "" if value is None else str(value)
        return known.get(word.casefold()) or (known.get("*") if word else None) or value

    return text
