"""What `pg_dump --schema-only` says of a database, in pieces that can be compared and run."""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from invoicing.db.url import libpq_url
from invoicing.errors import InvoicingError

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
    """Return what the server's own `pg_dump` writes of a database.

    Raises:
        ProgramFailedError: it failed.
    """
    return list(_pieces(await dump_text(url, str(bin_dir / "pg_dump"), *options)))


async def dump_text(url: URL, pg_dump: str, *options: str) -> str:
    """Return the schema of a database as a script; its password goes by the environment.

    Raises:
        ProgramFailedError: it failed.
    """
    return (await run_program(pg_dump, url, "--schema-only", *options)).output


class Ran(NamedTuple):
    """What a program has written."""

    output: str
    errors: str


async def run_program(program: str, url: URL, *options: str, text: str = "") -> Ran:
    """Run one of PostgreSQL's programs on a database, with `text` as its input.

    Raises:
        ProgramFailedError: its exit code is not 0.
    """
    environment = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        "--no-password",
        "--dbname",
        libpq_url(url, password=False),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    output, errors = await process.communicate(text.encode())
    if process.returncode:
        raise ProgramFailedError(program, errors.decode(errors="replace"))
    return Ran(output.decode(), errors.decode(errors="replace"))


class ProgramFailedError(InvoicingError):
    """One of PostgreSQL's programs failed.

    Attributes:
        program: its path.
        reason: its first complaint.
    """

    def __init__(self, program: str, said: str) -> None:
        self.program = program
        lines = said.strip().splitlines() or ["it said nothing"]
        self.reason = next((line for line in lines if "error:" in line.lower()), lines[-1])
        super().__init__(
            f"cannot rehearse: {program} failed: {self.reason}. Nothing was changed. pg_dump "
            "locks every table of the database for reading: run it as an account that may read all "
            "of them (GRANT pg_read_all_data), or as a superuser"
        )


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
