"""Values of a type, as text that PostgreSQL reads: the same number gives the same value.

Different numbers give different values, as far as the type has so many.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY, _MOMENT = date(2024, 1, 1), datetime.combine(date(2024, 1, 1), time())
# What texts often have to look like.
STYLES: tuple[Callable[[int], str], ...] = (
    lambda n: f"v{n}",
    lambda n: f"user{n}@example.com",
    lambda n: f"https://example.com/{n}",
    lambda n: f"{n:05}",
    lambda n: f"+1555{n:07}",
    lambda n: f"{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}",
    lambda n: f"{chr(65 + n // 676 % 26)}{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}",
)
TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "name"})
_SIMPLE: dict[str, Callable[[int], str]] = {
    "bool": lambda n: "true" if n % 2 else "false",
    "int2": lambda n: str(n % 32_000),
    "int4": str,
    "int8": str,
    "oid": str,
    "xid": str,
    "float4": lambda n: f"{n}.5",
    "float8": lambda n: f"{n}.5",
    "money": str,
    "char": lambda n: chr(97 + n % 26),
    "bytea": lambda n: f"\\x{n:08x}",
    "date": lambda n: str(_DAY + timedelta(days=n % 100_000)),
    "timestamp": lambda n: str(_MOMENT + timedelta(minutes=n)),
    "timestamptz": lambda n: f"{_MOMENT + timedelta(minutes=n)}+00",
    "time": lambda n: str(timedelta(seconds=n % 86_400)),
    "timetz": lambda n: f"{timedelta(seconds=n % 86_400)}+00",
    "interval": lambda n: f"{n} minutes",
    "uuid": lambda n: str(uuid.UUID(int=n)),
    "json": lambda n: f'{{"n": {n}}}',
    "jsonb": lambda n: f'{{"n": {n}}}',
    "jsonpath": lambda n: f"$.n{n}",
    "xml": lambda n: f"<n>{n}</n>",
    "inet": lambda n: f"10.{n // 65536 % 256}.{n // 256 % 256}.{n % 256}",
    "cidr": lambda n: f"10.{n // 65536 % 256}.{n // 256 % 256}.{n % 256}/32",
    "macaddr": lambda n: f"02:00:00:{n // 65536 % 256:02x}:{n // 256 % 256:02x}:{n % 256:02x}",
    "macaddr8": lambda n: (
        f"02:00:00:00:00:{n // 65536 % 256:02x}:{n // 256 % 256:02x}:{n % 256:02x}"
    ),
    "point": lambda n: f"({n},{n})",
    "line": lambda n: f"{{1,1,{n}}}",
    "lseg": lambda n: f"[(0,0),({n},1)]",
    "box": lambda n: f"(({n},1),(0,0))",
    "path": lambda n: f"[(0,0),({n},1)]",
    "polygon": lambda n: f"((0,0),({n},1),(1,0))",
    "circle": lambda n: f"<({n},0),1>",
    "tsvector": lambda n: f"v{n}",
    "tsquery": lambda n: f"v{n}",
    "pg_lsn": lambda n: f"0/{n:X}",
    "hstore": lambda n: f"n=>{n}",
    "ltree": lambda n: f"v{n}",
}
_VARIABLE_HEADER = 4
_SUBSCRIPTED = frozenset({"jsonb", "hstore", "name", "point", "box", "lseg", "line"})
_INTEGER, _NUMBER = re.compile(r"-?\d+"), re.compile(r"-?\d+(\.\d+)?")
_MOMENT_TEXT = re.compile(r"\d{4}-\d\d-\d\d.*")
_LETTERS = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), _INTEGER),
    **dict.fromkeys(("numeric", "float4", "float8", "money"), _NUMBER),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), _MOMENT_TEXT),
    "bool": re.compile("true|false"),
    "uuid": re.compile(r"[0-9a-fA-F-]{36}"),
}


@dataclass(frozen=True)
class ValueType:
    """A type, as far as its values are concerned; of a domain, the type below it.

    Attributes:
        name: as the catalog has it.
        modifier: a length, or precision and scale; -1 for none.
        labels: of an enum.
        element: of an array or a range, of a multirange its range.
        kind: `array`, `range`, `multirange`, `composite`, `enum`, or `simple`.
        members: of a composite type.
    """

    name: str
    kind: str = "simple"
    modifier: int = -1
    labels: tuple[str, ...] = ()
    element: ValueType | None = None
    members: tuple[ValueType, ...] = field(default=())

    @property
    def in_parts(self) -> bool:
        """Return whether an UPDATE can write a part of a value."""
        return self.kind in {"array", "composite"} or self.name in _SUBSCRIPTED


def fits(kind: ValueType, text: str) -> bool:
    """Return whether a text may be a value of the type, as far as its letters say."""
    pattern = _LETTERS.get(kind.name)
    return kind.element is None and (pattern is None or pattern.fullmatch(text) is not None)


def value(kind: ValueType, number: int, style: int = 0) -> str | None:
    """Return a value; None where none is known of that type."""
    if kind.labels:
        return kind.labels[number % len(kind.labels)]
    if kind.element is not None:
        return _collection(kind, kind.element, number)
    if kind.kind == "composite":
        inner = [value(member, number) for member in kind.members]
        return None if None in inner else f"({','.join(_quoted(str(text)) for text in inner)})"
    if kind.name in TEXTS:
        text = STYLES[style % len(STYLES)](number)
        length = kind.modifier - _VARIABLE_HEADER if kind.modifier >= 0 else len(text)
        return text if len(text) <= length else str(number)[-max(length, 0) :]
    made = _SIMPLE.get(kind.name)
    return _sized(kind, number) if made is None else made(number)


def _sized(kind: ValueType, number: int) -> str | None:
    """Return a value of a type whose modifier says how large it may be."""
    if kind.name == "numeric":
        return _numeric(kind.modifier, number)
    if kind.name in {"bit", "varbit"}:
        length = kind.modifier if kind.modifier > 0 else 1 if kind.name == "bit" else 32
        return f"{number:b}"[-length:].rjust(length, "0")
    return None


def _collection(kind: ValueType, element: ValueType, number: int) -> str | None:
    if kind.kind == "multirange":
        inner = value(element, number)
        return None if inner is None else f"{{{inner}}}"
    if kind.kind == "range":
        first, last = value(element, 10 * number), value(element, 10 * number + 5)
        return None if first is None or last is None else f'["{first}","{last}")'
    inner = value(element, number)
    return None if inner is None else f"{{{_quoted(inner)}}}"


def _numeric(modifier: int, number: int) -> str:
    if modifier < 0:
        return str(number)
    precision, scale = (modifier - _VARIABLE_HEADER) >> 16, (modifier - _VARIABLE_HEADER) & 0x7FF
    # 11 bits, of which the first is the sign.
    whole = precision - ((scale ^ 0x400) - 0x400)
    return str(number % 10**whole) if whole > 0 else "0"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
