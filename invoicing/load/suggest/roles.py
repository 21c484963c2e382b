"""Which file holds what, and which of its columns is which of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from invoicing.load.errors import InputFileError
from invoicing.load.suggest.names import OF_LINES, find, is_line_total, status_of
from invoicing.load.suggest.samples import READ_ROWS
from invoicing.schemas.cells import is_known_currency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.load.suggest.samples import ColumnSample, TableSample

_OVERLAP = 0.9
# Columns of ours whose names differ from those of a kind.
_KIND_OF = {"total": "line_total"}


@dataclass
class Role:
    """A table as one of ours.

    Attributes:
        columns: the column of the file for each thing that it may hold.
    """

    kind: str
    table: TableSample
    columns: dict[str, str] = field(default_factory=dict)

    def column(self, name: str) -> ColumnSample | None:
        """Return the column that holds something, if there is one."""
        found = self.columns.get(name)
        return next((column for column in self.table.columns if column.name == found), None)

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [column.name for column in self.table.columns]


def roles_of(tables: Iterable[TableSample]) -> list[Role]:
    """Return what the tables hold: accounts, invoices and lines, in this order.

    Raises:
        InputFileError: a file looks like none of them.
    """
    tables = list(tables)
    kinds: dict[str, TableSample] = {}
    for table in tables:
        kind = _kind(table)
        if kind in kinds and kinds[kind].path == table.path:
            kinds[kind].rivals.append(table.layout.sheet or "")
            continue
        if kind in kinds:
            reason = f"it looks like {kind}, as {kinds[kind].path} does. Name one file of a kind"
            raise InputFileError(table.path, reason)
        kinds[kind] = table
    if "lines" in kinds and "invoices" not in kinds and _has_invoices(kinds["lines"]):
        kinds["invoices"] = kinds["lines"]
    if "invoices" in kinds and "accounts" not in kinds:
        kinds["accounts"] = kinds["invoices"]
    roles = {kind: Role(kind, table) for kind, table in kinds.items()}
    for kind, name in (("accounts", _accounts), ("invoices", _invoices), ("lines", _lines)):
        if kind in roles:
            name(roles[kind], roles)
    return [roles[kind] for kind in ("accounts", "invoices", "lines") if kind in roles]


def _kind(table: TableSample) -> str:
    names = [column.name for column in table.columns]
    if any(map(is_line_total, names)) or sum(find(kind, names) is not None for kind in OF_LINES):
        return "lines"
    own = [name.lower() for name in names]
    if ("invoice_id" in own and "account_id" not in own) or _refers_to_invoices(names):
        return "lines"
    facts = ("issued_at", "amount", "status")
    if find("amount", names) or sum(find(kind, names) is not None for kind in facts) > 1:
        return "invoices"
    return "invoices" if find("issued_at", names) and _reference(table) else "accounts"


def _refers_to_invoices(names: list[str]) -> bool:
    """Tell whether rows name an invoice beside what they are, and say nothing of its own facts."""
    # A number alone may be anything's.
    reference = find("invoice_id", [name for name in names if find("own_id", [name]) is None])
    own = find("line_id", names, [reference]) or find("own_id", names, [reference])
    text = find("description", names, [reference, own])
    facts = ("account_id", "issued_at", "status", "currency")
    return bool(
        reference and (own or text) and not any(find(kind, names, [own, text]) for kind in facts)
    )


def _has_invoices(table: TableSample) -> bool:
    """Tell whether a file of lines says whose they are and when."""
    names = [column.name for column in table.columns]
    return find("account_id", names) is not None


def _reference(table: TableSample) -> str | None:
    names = [column.name for column in table.columns]
    own = find("invoice_id", names)
    return find("account_id", names, [own])


def _accounts(role: Role, roles: dict[str, Role]) -> None:
    names = role.names
    shared = "invoices" in roles and roles["invoices"].table is role.table
    id_ = find("account_id", names, ["id"]) if shared else find("own_id", names)
    name = find("name", names, [] if shared else [id_])
    first, last = find("first_name", names), find("last_name", names)
    _set(role, id=id_, name=name or id_, plan=find("plan", names))
    filled = role.column("name")
    if first and last and (name is None or (filled and filled.filled < role.table.rows)):
        # A company's name that not every row has is of persons too.
        _set(role, first_name=first, last_name=last)


def _invoices(role: Role, roles: dict[str, Role]) -> None:
    names = role.names
    id_ = find("invoice_id", names)
    accounts = roles.get("accounts")
    reference = find("account_id", names, [id_])
    if accounts is not None and accounts.table is not role.table:
        reference = reference or _overlapping(role, accounts, [id_])
    elif accounts is not None:
        reference = accounts.columns.get("id")
    _set(role, id=id_, account_id=reference)
    of_lines = "lines" in roles and roles["lines"].table is role.table
    amount = find("amount", names, [name for name in names if is_line_total(name)])
    if of_lines and amount is not None and id_ is not None and _varies(role.table, id_, amount):
        amount = None  # it is the line's
    issued = find("issued_at", names)
    _set(
        role,
        amount=amount,
        currency=find("currency", names) or _by_values(role, is_known_currency, str.upper),
        status=find("status", names) or _by_values(role, lambda word: status_of(word) is not None),
        issued_at=issued,
        created_at=find("created_at", names) or issued,
    )


def _varies(table: TableSample, id_: str, name: str) -> bool:
    """Tell whether rows with one id differ in a column."""
    places = [column.name for column in table.columns]
    key, at = places.index(id_), places.index(name)
    first: dict[object, object] = {}
    return any(
        first.setdefault(cells[key], cells[at]) != cells[at]
        for _, cells, problem in islice(table.source.rows(), READ_ROWS)
        if problem is None
    )


def _lines(role: Role, roles: dict[str, Role]) -> None:
    names = role.names
    invoices = roles.get("invoices")
    shared = invoices is not None and invoices.table is role.table
    own = None if shared else find("line_id", names)
    id_ = own if own is not None and _is_unique(role, own) else None
    if shared and invoices is not None:
        reference = invoices.columns.get("id")
    else:
        reference = find("invoice_id", names, [id_, "id"])
        if reference is None and invoices is not None:
            reference = _overlapping(role, invoices, [id_])
    taken = [invoices.columns.get("amount")] if shared and invoices is not None else []
    _set(
        role,
        id=id_,
        invoice_id=reference,
        line_number=find("line_number", names, [id_]),
        description=find("description", names, [id_, reference]),
        unit_price=find("unit_price", names),
        quantity=find("quantity", names),
        discount=find("discount", names),
        tax=find("tax", names),
        total=find(_KIND_OF["total"], names, [*taken, find("unit_price", names)]),
    )


def _set(role: Role, **columns: str | None) -> None:
    role.columns |= {name: column for name, column in columns.items() if column is not None}


def _is_unique(role: Role, name: str) -> bool:
    return any(column.name == name and column.is_unique for column in role.table.columns)


def _overlapping(role: Role, parent: Role, without: list[str | None]) -> str | None:
    """Return the column whose values are ids of another table."""
    ids = parent.column("id")
    if ids is None or not ids.values:
        return None
    known = {*ids.texts}
    for column in role.table.columns:
        texts = {*column.texts}
        if column.name not in without and texts and len(texts & known) >= _OVERLAP * len(texts):
            return column.name
    return None


def _by_values(
    role: Role, is_of: Callable[[str], bool], form: Callable[[str], str] = str
) -> str | None:
    """Return the column all of whose values are of a kind."""
    for column in role.table.columns:
        if column.values and all(is_of(form(text)) for text in column.texts):
            return column.name
    return None
