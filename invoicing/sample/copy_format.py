"""Rows in the binary format of PostgreSQL's COPY, made of whole columns at a time.

A row is its number of fields, and for each field its length (-1 for NULL) and its bytes
(PostgreSQL manual, COPY, "Binary Format"). All rows are laid out with the room that the longest
needs; a mask then cuts out what a short text or a NULL does not use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from invoicing.sample.hashing import Draws, Integers

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"

# PostgreSQL counts time in microseconds from the first day of 2000.
_POSTGRES_EPOCH = 946_684_800
_MICROSECONDS = 1_000_000
_NULL = -1

Bytes: TypeAlias = npt.NDArray[np.bytes_]
_Part: TypeAlias = "Draws | Integers | Bytes"


@dataclass(frozen=True)
class Field:
    """One column of a chunk of rows, ready to be laid out.

    Attributes:
        layout: numpy type of each part, big-endian as the format wants it.
        parts: the values of each part, row by row.
        lengths: bytes used in each row, -1 for NULL; None where every row uses all.
    """

    layout: tuple[str, ...]
    parts: tuple[_Part, ...]
    lengths: Integers | None = None

    @property
    def width(self) -> int:
        """The bytes there is room for."""
        return sum(np.dtype(part).itemsize for part in self.layout)


class Texts:
    """A fixed set of texts, of which a column takes one a row by its place."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = np.array(texts, dtype=np.bytes_)
        self._lengths = np.array([len(text) for text in texts], dtype=np.int64)

    def field(self, places: Integers) -> Field:
        """Return the texts at `places`; a negative place is NULL."""
        lengths = np.where(places < 0, _NULL, self._lengths[places])
        layout = f"V{self._texts.dtype.itemsize}"
        return Field((layout,), (self._texts[places].view(layout),), lengths)


def uuid_field(high: Draws, low: Draws) -> Field:
    """Return a uuid column."""
    return Field((">u8", ">u8"), (high, low))


def bigint_field(values: Integers) -> Field:
    """Return a bigint column."""
    return Field((">i8",), (values,))


def timestamp_field(seconds: Integers, is_null: npt.NDArray[np.bool_] | None = None) -> Field:
    """Return a timestamptz column of seconds since 1970."""
    values = (seconds - _POSTGRES_EPOCH) * _MICROSECONDS
    lengths = None if is_null is None else np.where(is_null, _NULL, 8)
    return Field((">i8",), (values,), lengths)


def encode(fields: Mapping[str, Field], columns: Sequence[str], rows: int) -> bytes:
    """Return `rows` rows of `fields` in the order of `columns`, without header and trailer."""
    chosen = [fields[column] for column in columns]
    layout = [("count", ">i2")]
    for place, field in enumerate(chosen):
        layout.append((f"length{place}", ">i4"))
        layout += [(f"part{place}_{n}", part) for n, part in enumerate(field.layout)]
    table = np.empty(rows, dtype=layout)
    table["count"] = len(chosen)
    for place, field in enumerate(chosen):
        table[f"length{place}"] = field.width if field.lengths is None else field.lengths
        for n, part in enumerate(field.parts):
            table[f"part{place}_{n}"] = part
    room = table.view(np.uint8).reshape(rows, table.dtype.itemsize)
    mask = _mask(chosen, rows, table.dtype.itemsize)
    return room.tobytes() if mask is None else room[mask].tobytes()


def _mask(fields: Sequence[Field], rows: int, width: int) -> npt.NDArray[np.bool_] | None:
    if all(field.lengths is None for field in fields):
        return None
    mask = np.ones((rows, width), dtype=np.bool_)
    offset = 2
    for field in fields:
        offset += 4
        if field.lengths is not None:
            # Row n of the table says which bytes a text of n bytes uses; NULL uses none.
            used = np.tri(field.width + 1, field.width, -1, dtype=np.bool_)
            mask[:, offset : offset + field.width] = used[np.maximum(field.lengths, 0)]
        offset += field.width
    return mask
