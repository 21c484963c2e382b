"""Read a sample's bytes back, without the code that wrote them."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from invoicing.sample import generate
from invoicing.sample.copy_format import encode

if TYPE_CHECKING:
    from collections.abc import Iterator


def sample_bytes(**arguments: int) -> dict[str, bytes]:
    """Generate a sample and return each table's rows."""
    found: dict[str, list[bytes]] = {"account": [], "invoice": [], "invoice_line": []}
    for chunk in generate(**arguments):
        found[chunk.table].append(encode(chunk.fields, list(chunk.fields), chunk.rows))
    return {table: b"".join(parts) for table, parts in found.items()}


def digests(**arguments: int) -> dict[str, str]:
    return {
        table: hashlib.sha256(data).hexdigest() for table, data in sample_bytes(**arguments).items()
    }


def split_rows(data: bytes) -> Iterator[tuple[bytes | None, ...]]:
    """Take rows of COPY's binary format apart."""
    at = 0
    while at < len(data):
        (fields,) = struct.unpack_from(">h", data, at)
        at += 2
        row: list[bytes | None] = []
        for _ in range(fields):
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            row.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        yield tuple(row)
    assert at == len(data)
