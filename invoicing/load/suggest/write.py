"""The suggested mapping as TOML, with what each line was concluded from beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoicing.load.mapping.rules import TO_FILL_IN
from invoicing.load.suggest.formats import (
    EMPTY_WORDS,
    AmountFormat,
    amounts_of,
    dates_of,
    has_fractions,
    lacks_zone,
)
from invoicing.load.suggest.lines import credit_notes_of, total_of
from invoicing.load.suggest.names import plain, status_of
from invoicing.load.suggest.ready import ready_for
from invoicing.load.suggest.roles import Role, roles_of
from invoicing.load.suggest.samples import READ_ROWS, read_tables
from invoicing.schemas.cells import is_known_currency
from invoicing.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_AMOUNTS = ("amount", "total", "unit_price", "tax")
_DATES = ("issued_at", "created_at")
_OF_INVOICE = ("id", "account_id", "issued_at", "currency", "status", "amount")
_TOTALS = {"total", "totals", "grandtotal", "subtotal", "sum", "summe", "gesamt", "gesamtsumme"}
_COMMENT_AT = 44
_HEAD = """\
# Suggested from the headers and values of {files} (at most the first {rows:,} rows of each).
# Read every line: what is behind # says why. {unknown} is what no value says; a load refuses it.
# Then: invoicing load --map mapping.toml --dry-run
"""


def suggest_mapping(files: Sequence[str | Path], folder: str | Path = ".") -> str:
    """Return a mapping of files, as TOML to be read and corrected.

    Args:
        files: CSV, JSON lines, Parquet or Excel; all that is to be loaded together.
        folder: where the mapping will be, from which it names the files.

    Raises:
        InputFileError: a file cannot be read, or looks like nothing that can be loaded.
    """
    tables = [table for file in files for table in read_tables(Path(file))]
    roles = roles_of(tables)
    names = ", ".join(dict.fromkeys(role.table.path.name for role in roles))
    head = _HEAD.format(files=names, rows=READ_ROWS, unknown=TO_FILL_IN)
    ready = ready_for(roles)
    if ready is not None:
        head += f"# The columns are those of a ready mapping: invoicing load --map {ready} FILES\n"
    parts = [head, *_top(roles), *_words(roles)]
    layouts = [_layout(role, roles, Path(folder)) for role in roles]
    same = len(roles) > 1 and all(layout == layouts[0] for layout in layouts)
    if same:
        parts.insert(1, "\n".join(layouts[0]))
    for role, layout in zip(roles, layouts, strict=True):
        own = [] if same else layout
        parts.append("\n".join([f"\n[{role.kind}]", *own, *_SECTIONS[role.kind](role, roles)]))
    return "\n".join(parts) + "\n"


def _quoted(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _line(key: str, value: str, why: str = "") -> str:
    text = f"{key} = {value}"
    return f"{text.ljust(_COMMENT_AT)} # {visible(' '.join(why.split()))}" if why else text


def _layout(role: Role, roles: list[Role], folder: Path) -> list[str]:
    table = role.table
    name = os.path.relpath(table.path, folder) if not table.path.is_absolute() else table.path
    lines = [_line("file", _quoted(str(name)))]
    for key in ("sheet", "header_row", "encoding"):
        value = getattr(table.layout, key)
        if key == "sheet" and table.rivals:
            sheets = " or ".join(map(_quoted, [value, *table.rivals]))
            why = f"{sheets}: each looks like {role.kind}. Load them one after the other"
            lines.append(_line(key, _quoted(TO_FILL_IN), why))
        elif value is not None:
            lines.append(_line(key, _quoted(value), "found out"))
    totals = _total_rows(role)
    if totals:
        lines.append(f"skip = [{{ column = {_quoted(totals[0])}, values = {_quoted(totals[1])} }}]")
    return lines + _filled_down(role, roles)


def _total_rows(role: Role) -> tuple[str, list[str]] | None:
    """Return the column and the words of rows that are totals."""
    for column in role.table.columns[:3]:
        # The whole text: a customer may be called Total Energy.
        found = [text for text in column.texts if plain(text) in _TOTALS]
        if found and len(column.values) > len(found):
            return column.name, found
    return None


def _filled_down(role: Role, roles: list[Role]) -> list[str]:
    """Return the columns that only the first row of an invoice fills."""
    invoices = next((other for other in roles if other.kind == "invoices"), None)
    lines = next((other for other in roles if other.kind == "lines"), None)
    if invoices is None or lines is None or lines.table is not invoices.table:
        return []
    totals = _total_rows(role)
    expected = role.table.rows - (len(totals[1]) if totals else 0)
    keys = [invoices.columns.get(name) for name in _OF_INVOICE]
    partly = [c.name for c in role.table.columns if c.name in keys and 0 < c.filled < expected]
    id_ = invoices.column("id")
    if not partly or id_ is None:
        return []
    why = "only the first row of an invoice has them"
    filled = [_line("fill_down", _quoted(partly), why)]
    if id_.name not in partly:
        filled.append(_line("fill_within", _quoted(id_.name)))
    return filled


def _top(roles: list[Role]) -> list[str]:
    values = [value for role in roles for name in _AMOUNTS for value in _values(role, name)]
    written = amounts_of(_without_empty(values))
    lines = ['# source = "..."  stands before each id, so that two systems do not share one']
    if values:
        lines += _amount_lines(roles, values, written)
    dates = [value for role in roles for name in _DATES for value in _values(role, name)]
    if dates:
        forms, why = dates_of(_without_empty(dates))
        lines.append(_line("dates", _quoted(forms), why))
        lines += _time_zone(roles)
    used = [value for role in roles for name in role.columns for value in _values(role, name)]
    empty = sorted({v for v in used if isinstance(v, str) and v.casefold() in EMPTY_WORDS})
    if empty:
        lines.append(_line("empty", _quoted(empty), "seem to mean an empty cell"))
    if _are_floats(roles):
        lines.append(_line("ids", '"integer"', "some ids are written as 17.0"))
    return lines


def _time_zone(roles: list[Role]) -> list[str]:
    """Return the zone of times that do not say theirs: the one in the names of all columns."""
    columns = {
        column.name: found
        for role in roles
        for name in _DATES
        if (column := role.column(name)) is not None
        and (found := lacks_zone(_without_empty(column.values))) is not None
    }
    if not columns:
        return []
    if all(plain(name).endswith("utc") for name in columns):
        return [_line("time_zone", '"UTC"', f"the column is called {next(iter(columns))}")]
    why = f"no value says whose time {next(iter(columns.values()))} is, such as Europe/Berlin"
    return [_line("time_zone", _quoted(TO_FILL_IN), why)]


def _amount_lines(
    roles: list[Role], values: list[object], written: AmountFormat | None
) -> list[str]:
    named = [column for role in roles for name in _AMOUNTS if (column := role.columns.get(name))]
    cents = ["cents" in plain(column) for column in named]
    if written is None:
        why = f"{_odd(values)!r} is an amount in no way that is known"
        return [_line("amounts", _quoted(TO_FILL_IN), why)]
    fractions = has_fractions(_without_empty(values), written)
    if any(cents) and (fractions or not all(cents)):
        kind, why = TO_FILL_IN, "only some are cents: say it in [invoices] and [lines]"
    elif any(cents):
        kind, why = "minor", "the columns are called cents"
    elif fractions:
        kind, why = "major", "there are digits after the decimal point"
    else:
        kind, why = TO_FILL_IN, 'no value says: "major" if 19 is 19.00, "minor" if it is 0.19'
    lines = [_line("amounts", _quoted(kind), why)]
    if written.decimal != ".":
        lines.append(_line("decimal", _quoted(written.decimal), written.why))
    if written.grouping:
        lines.append(_line("grouping", _quoted(written.grouping), written.why))
    return lines


def _odd(values: Iterable[object]) -> str:
    return next(str(v) for v in values if isinstance(v, str) and amounts_of([v]) is None)


def _values(role: Role, name: str) -> list[object]:
    column = role.column(name)
    return [] if column is None else [*column.values]


def _without_empty(values: Iterable[object]) -> list[object]:
    return [v for v in values if not (isinstance(v, str) and v.casefold() in EMPTY_WORDS)]


def _are_floats(roles: list[Role]) -> bool:
    ids = [str(v) for role in roles for name in ("id", "account_id", "invoice_id")
           for v in _values(role, name) if isinstance(v, str)]  # fmt: skip
    return any(text.endswith(".0") and text[:-2].isdigit() for text in ids)


def _words(roles: list[Role]) -> list[str]:
    for role in roles:
        words = [str(v) for v in _without_empty(_values(role, "status"))]
        odd = [word for word in words if word.lower() not in _OWN]
        if role.kind == "invoices" and odd:
            lines = ["\n[words.status]"]
            for word in odd:
                meant = status_of(word) or _of_paid(role, word)
                why = "" if meant else "draft, open, paid or void?"
                lines.append(_line(_quoted(word), _quoted(meant or TO_FILL_IN), why))
            return lines
    return []


def _of_paid(role: Role, word: str) -> str | None:
    """Return what yes and no mean in a column that says whether an invoice is paid."""
    if plain(role.columns["status"]) not in {"paid", "ispaid", "bezahlt"}:
        return None
    return {"true": "paid", "yes": "paid", "false": "open", "no": "open"}.get(word.casefold())


_OWN = {"draft", "open", "paid", "void"}


def _named(role: Role, key: str, name: str, missing: str) -> str:
    column = role.column(name)
    if column is None:
        return _line(key, _quoted(TO_FILL_IN), missing)
    why = f"such as {column.sample}" if column.values else "it is empty"
    return _line(key, _quoted(column.name), why)


def _accounts(role: Role, _: list[Role]) -> list[str]:
    lines = [_named(role, "id", "id", f"which of {', '.join(role.names)}?")]
    if "first_name" in role.columns:
        both = [role.columns["first_name"], role.columns["last_name"]]
        lines.append(_line("name", _quoted(both)))
    else:
        lines.append(_named(role, "name", "name", f"which of {', '.join(role.names)}?"))
    if role.column("plan") is not None:
        lines.append(_named(role, "plan", "plan", ""))
    else:
        why = "no column seems to hold it: the same for all"
        lines.append(_line("plan", '{ value = "standard" }', why))
    return lines


def _invoices(role: Role, roles: list[Role]) -> list[str]:
    which = f"which of {', '.join(role.names)}?"
    lines = [
        _named(role, "id", "id", which),
        _named(role, "account_id", "account_id", which),
    ]
    if role.column("amount") is None and any(other.kind == "lines" for other in roles):
        why = "no column holds an invoice's amount"
        lines.append(_line("amount", "{ sum_of_lines = true }", why))
    else:
        lines.append(_named(role, "amount", "amount", which))
    lines.append(_currency(role))
    if role.column("status") is None:
        unknown = f"{{ value = {_quoted(TO_FILL_IN)} }}"
        lines.append(_line("status", unknown, "no column holds it: draft, open, paid or void?"))
    else:
        lines.append(_named(role, "status", "status", ""))
    for name in _DATES:
        if role.column(name) is not None:
            lines.append(_named(role, name, name, ""))
        else:
            lines.append(f"# {name}: no column seems to hold it")
    return lines + credit_notes_of(role, roles, "amount")


def _currency(role: Role) -> str:
    column = role.column("currency")
    if column is None:
        unknown = f"{{ value = {_quoted(TO_FILL_IN)} }}"
        return _line("currency", unknown, "no column holds it: an ISO 4217 code such as EUR?")
    odd = [text for text in column.texts if not is_known_currency(text.upper())]
    if odd:
        words = ", ".join(f"{_quoted(word)} = {_quoted(TO_FILL_IN)}" for word in odd[:9])
        return f"currency = {{ column = {_quoted(column.name)}, words = {{ {words} }} }}"
    return _named(role, "currency", "currency", "")


def _lines(role: Role, roles: list[Role]) -> list[str]:
    reference = role.column("invoice_id")
    which = f"which of {', '.join(role.names)}?"
    lines = []
    if role.column("id") is not None:
        lines.append(_named(role, "id", "id", ""))
    elif reference is None:
        lines.append(_line("id", _quoted(TO_FILL_IN), which))
    elif role.column("line_number") is not None:
        both = [reference.name, role.columns["line_number"]]
        lines.append(_line("id", _quoted(both), "a line's number within its invoice"))
    else:
        rule = f"{{ column = {_quoted(reference.name)}, number = true }}"
        lines.append(_line("id", rule, "lines have no id: their number within the invoice"))
    lines.append(_named(role, "invoice_id", "invoice_id", which))
    if role.column("description") is not None:
        lines.append(_named(role, "description", "description", ""))
    rule, why = total_of(role, roles)
    lines.append(_line("total", rule, why or which))
    return lines + credit_notes_of(role, roles, "total")


_SECTIONS = {"accounts": _accounts, "invoices": _invoices, "lines": _lines}
