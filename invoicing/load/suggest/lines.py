"""How a line's total is made of the columns there are: what adds up to the invoices' amounts."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from invoicing.load.mapping.model import FileOptions
from invoicing.load.mapping.rules import TO_FILL_IN
from invoicing.load.mapping.values import CellError
from invoicing.load.suggest.formats import AnyCurrency, amounts_of
from invoicing.load.suggest.names import CREDIT, is_credit_note
from invoicing.load.suggest.samples import READ_ROWS
from invoicing.schemas.cells import is_blank
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from invoicing.load.suggest.roles import Role

_CENT = Decimal("0.01")
_MOST_TYPES = 12


class _Way(NamedTuple):
    """One way to make a line's total."""

    column: str
    times: str | None = None
    discount: tuple[str, str] | None = None
    tax: str | None = None

    @property
    def rule(self) -> str:
        """The rule as TOML."""
        if self == _Way(self.column):
            return json.dumps(self.column, ensure_ascii=False)
        parts = {"column": self.column, "times": self.times}
        if self.discount is not None:
            parts |= {self.discount[0]: self.discount[1]}
        given = [f"{key} = {json.dumps(v, ensure_ascii=False)}" for key, v in parts.items() if v]
        if self.tax is not None:
            given.append(f"plus = [{json.dumps(self.tax, ensure_ascii=False)}]")
        return f"{{ {', '.join(given)} }}"

    def total(self, cell: Callable[[str], Decimal]) -> Decimal:
        """Return the total of a line."""
        total = cell(self.column)
        if self.times is not None:
            total *= cell(self.times)
        if self.discount is not None:
            whole = 100 if self.discount[0] == "discount_percent" else 1
            total *= 1 - cell(self.discount[1]) / whole
        return total + (cell(self.tax) if self.tax is not None else 0)


def total_of(role: Role, roles: list[Role]) -> tuple[str, str]:
    """Return the rule of a line's total as TOML, and a comment."""
    ways = list(_ways(role))
    if not ways:
        return json.dumps(TO_FILL_IN), ""
    amounts = _amounts(roles)
    sums = _sums(role, ways) if amounts else {}
    agreeing = {
        way: sum(_same(total, amounts[id_]) for id_, total in totals.items() if id_ in amounts)
        for way, totals in sums.items()
    }
    if not any(agreeing.values()):
        why = "does not add up to the invoices' amounts: correct it" if amounts else "to be checked"
        if ways[0].discount is not None:
            rules = " or ".join(way.rule for way in ways if way.discount and not way.tax)
            return json.dumps(TO_FILL_IN), f"nothing says what a discount is a part of: {rules}?"
        return ways[0].rule, why
    best = max(ways, key=lambda way: agreeing[way])
    return best.rule, f"adds up for {agreeing[best]:,} of {len(amounts):,} invoices"


def credit_notes_of(role: Role, roles: list[Role], name: str) -> list[str]:
    """Return the rule of credit notes, where a column of its own tells them from invoices.

    Only what the amounts show is written down: a minus that the file has. Whether one is missing
    is for the reader to say, and a word such as refunded is of an invoice that was paid back.
    """
    taken = {
        used for other in roles if other.table is role.table for used in other.columns.values()
    }
    of_amounts = {"amount", "total", "unit_price"} & {*role.columns}
    for column in role.table.columns if of_amounts else ():
        if column.name in taken:
            continue
        values = [text for text in column.texts if any(word in text.lower() for word in CREDIT)]
        if not 0 < len(values) < len(column.values) <= _MOST_TYPES or len(values) > _MOST_TYPES:
            continue
        certain = [text for text in values if is_credit_note(text)]
        written = _sign(role, name, column.name, certain) if certain else TO_FILL_IN
        given = {"column": column.name, "values": certain or values, "written": written}
        parts = ", ".join(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in given.items())
        line = f"credit_notes = {{ {parts} }}"
        if not certain:
            shown = visible(line).replace(TO_FILL_IN, "positive")
            return [f"# {shown}  would store these amounts negative: are they credit notes?"]
        if written == TO_FILL_IN:
            line += ' # "positive" stores them negative, "negative" says that they are'
        return [line]
    return []


def _sign(role: Role, name: str, column: str, values: list[str]) -> str:
    """Return "negative" where all amounts of credit notes have a minus, else what asks for it."""
    amount = role.columns.get(name) or role.columns.get("unit_price")
    at = next(n for n, other in enumerate(role.table.columns) if other.name == column)
    signs = set()
    if amount is not None:
        key = "id" if name == "amount" else "invoice_id"
        for _, cell in _cells(role, key, [amount], (at, values)):
            try:
                read = cell(amount)
            except CellError:
                continue
            signs |= {"negative" if read < 0 else "positive"} if read else set()
    return "negative" if signs == {"negative"} else TO_FILL_IN


def _ways(role: Role) -> Iterator[_Way]:
    total, price = role.columns.get("total"), role.columns.get("unit_price")
    quantity, tax = role.columns.get("quantity"), role.columns.get("tax")
    ways = [_Way(total)] if total is not None else []
    if price is not None and quantity is not None:
        discount = role.columns.get("discount")
        if discount is not None:
            ways += [
                _Way(price, quantity, (kind, discount)) for kind in ("discount", "discount_percent")
            ]
        ways.append(_Way(price, quantity))
    for way in ways:
        yield way
        if tax is not None:
            yield way._replace(tax=tax)


def _amounts(roles: list[Role]) -> dict[str, Decimal]:
    """Return the amounts of the invoices, by their ids."""
    role = next((role for role in roles if role.kind == "invoices"), None)
    if role is None or not {"id", "amount"} <= {*role.columns}:
        return {}
    read = {}
    for id_, cell in _cells(role, "id", [role.columns["amount"]]):
        try:
            read[id_] = cell(role.columns["amount"])
        except CellError:
            continue
    return read


def _sums(role: Role, ways: list[_Way]) -> dict[_Way, dict[str, Decimal]]:
    names = {name for way in ways for name in (way.column, way.times, way.tax) if name}
    names |= {way.discount[1] for way in ways if way.discount is not None}
    sums: dict[_Way, dict[str, Decimal]] = {way: defaultdict(Decimal) for way in ways}
    for id_, cell in _cells(role, "invoice_id", sorted(names)):
        for way in ways:
            try:
                sums[way][id_] += way.total(cell)
            except CellError:
                continue
    return sums


def _cells(
    role: Role, key: str, names: list[str], only: tuple[int, list[str]] | None = None
) -> Iterator[tuple[str, Callable[[str], Decimal]]]:
    """Yield the id of each row, and what reads its amounts."""
    place = {column.name: at for at, column in enumerate(role.table.columns)}
    if key not in role.columns:
        return
    values = [v for name in names for v in role.table.columns[place[name]].values]
    written = amounts_of(values)
    if written is None or written.decimal == TO_FILL_IN:
        return
    options = FileOptions.model_construct(
        **dict.fromkeys(FileOptions.model_fields)
        | {"decimal": written.decimal, "grouping": written.grouping}
    )
    amounts = AnyCurrency(options, {})
    for _, cells, problem in islice(role.table.source.rows(), READ_ROWS):
        if problem is not None or (only is not None and str(cells[only[0]]).strip() not in only[1]):
            continue

        def cell(name: str, cells: Sequence[object] = cells) -> Decimal:
            value = cells[place[name]]
            if is_blank(value):
                return Decimal(0)
            return amounts.read(value.strip() if isinstance(value, str) else value)[0]

        yield str(cells[place[role.columns[key]]]).strip(), cell


def _same(total: Decimal, amount: Decimal) -> bool:
    return abs(total - amount) < _CENT
