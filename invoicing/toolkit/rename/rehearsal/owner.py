"""What the plan leaves to the owner: everything that names the old column, made anew by the new.

The twin says how each has to be: what PostgreSQL has renamed in it is what its owner would write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from invoicing.toolkit.rename.rehearsal.dump import differences

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from invoicing.toolkit.rename.connection.pool import Connection
    from invoicing.toolkit.rename.rehearsal.dump import Piece

    Dump = Callable[[], Awaitable[list[Piece]]]

_REPLACED = {
    "VIEW": ("CREATE VIEW", "CREATE OR REPLACE VIEW"),
    "FUNCTION": ("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"),
    "RULE": ("CREATE RULE", "CREATE OR REPLACE RULE"),
    "TRIGGER": ("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER"),
}
_POLICY = re.compile(
    r'^CREATE POLICY ("(?:[^"]|"")*"|\S+) ON (.*?)(?: AS | FOR | TO | USING | WITH |;)'
)
_KEPT = re.compile(r"^CREATE MATERIALIZED VIEW (.*?) AS")


async def change(
    connection: Connection, dump: Dump, wanted: list[Piece], *, texts_only: bool = False
) -> list[str]:
    """Make anew what differs from the twin and is not the table's own; return what was run.

    Args:
        connection: where; the table answers to both names.
        dump: what there is now, in pieces.
        wanted: the twin's pieces.
        texts_only: whether the contract renames the column itself, so that only what is kept as
            text has to be changed before.
    """
    ran: list[str] = []

    async def run(sql: str) -> None:
        await connection.execute(sql)
        ran.append(sql)

    have = await dump()
    missing = {piece[1:] for piece in differences(have, wanted) if piece[0] == "twin"}
    dropped = False
    for piece in wanted:
        if piece.compared not in missing or (texts_only and not _is_text(piece)):
            continue
        if piece.kind == "MATERIALIZED VIEW" and (name := _KEPT.match(piece.sql)):
            await run(f"DROP MATERIALIZED VIEW {name[1]} CASCADE")
            dropped = True
        elif piece.kind in _REPLACED and not _follows(piece, have):
            await run(piece.sql.replace(*_REPLACED[piece.kind], 1))
        elif piece.kind == "POLICY" and (policy := _POLICY.match(piece.sql)):
            await run(f"DROP POLICY {policy[1]} ON {policy[2]}; {piece.sql}")
    if dropped:
        for sql in _made_again(await dump(), wanted):
            await run(sql)
    return ran


def _is_text(piece: Piece) -> bool:
    """Tell whether PostgreSQL does not know the columns that it names."""
    body = piece.kind == "FUNCTION" and re.search("^    AS ", piece.sql, re.MULTILINE)
    return piece.kind == "TRIGGER" or bool(body)


def _follows(piece: Piece, have: list[Piece]) -> bool:
    """Tell whether it is a trigger that the contract carries: only its arguments are not."""
    called = piece.sql.rpartition(" EXECUTE FUNCTION ")[2]
    return piece.kind == "TRIGGER" and any(
        (other.kind, other.name) == (piece.kind, piece.name)
        and other.sql.rpartition(" EXECUTE FUNCTION ")[2] == called
        for other in have
    )


def _made_again(have: list[Piece], wanted: list[Piece]) -> list[str]:
    """Return what makes the materialized views, and what was dropped with them."""
    there = {piece.name for piece in have if piece.kind != "ACL"}
    gone = {
        piece.name
        for piece in wanted
        if piece.kind in {"MATERIALIZED VIEW", "VIEW"} and piece.name not in there
    }
    return [
        piece.sql
        for piece in wanted
        if piece.name in gone
        or piece.name.split(" ")[-1] in gone
        or (piece.kind == "INDEX" and piece.name not in there)
    ]
