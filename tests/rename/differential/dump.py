"""What `pg_dump --schema-only` says of a database, in pieces that can be compared and run."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sqlalchemy.engine import URL

_HEADER = re.compile(r"^-- Name: (.*); Type: (.*); Schema: (.*); Owner: (.*)$", re.MULTILINE)
_SETTING = re.compile(
    r"^(SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*|--.*)\n", re.MULTILINE
)
_STATISTICS = re.compile(r" ON (.*) FROM ")


class Piece(NamedTuple):
    """One object, or what is said of it, as `pg_dump` writes it."""

    kind: str
    name: str
    sql: str

    @property
    def compared(self) -> tuple[str, str, str]:
        """Return it without what the documentation says may differ: the order of columns."""
        lines = [line.strip().removesuffix(",") for line in self.sql.splitlines()]
        if self.kind in {"TABLE", "ACL", "VIEW ACL"}:
            lines.sort()
        if self.kind == "STATISTICS":
            columns = _STATISTICS.search(lines[0])
            if columns is not None:
                lines[0] = " ".join(sorted(columns[1].split(", ")))
        return (self.kind, self.name, "\n".join(lines))


async def dumped(url: URL, bin_dir: Path, *options: str) -> list[Piece]:
    """Return what the server's own `pg_dump` writes of a database."""
    process = await asyncio.create_subprocess_exec(
        str(bin_dir / "pg_dump"),
        "--schema-only",
        *options,
        "--dbname",
        url.set(drivername="postgresql").render_as_string(hide_password=False),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    text, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return list(_pieces(text.decode()))


def _pieces(text: str) -> Iterable[Piece]:
    found = list(_HEADER.finditer(text))
    for header, after in zip(found, [*found[1:], None], strict=True):
        body = text[header.end() : len(text) if after is None else after.start()]
        yield Piece(header[2], header[1], _SETTING.sub("", body + "\n").strip())


def differences(ours: Iterable[Piece], twins: Iterable[Piece]) -> list[tuple[str, str, str, str]]:
    """Return each piece that only one of the two has: whose it is, kind, name and SQL."""
    left, right = {piece.compared for piece in ours}, {piece.compared for piece in twins}
    found = [("ours", *piece) for piece in left - right] + [
        ("twin", *piece) for piece in right - left
    ]
    return sorted(found, key=lambda piece: (piece[2], piece[1], piece[0]))
