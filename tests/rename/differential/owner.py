"""What the plan leaves to the owner: everything that names the old column, made anew by the new.

The twin says how each has to be: what PostgreSQL has renamed in it is what its owner would write.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.rename.differential.dump import differences

if TYPE_CHECKING:
    from tests.rename.differential.case import Case
    from tests.rename.differential.dump import Piece
    from tests.rename.differential.twins import Side

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


async def change(case: Case, ours: Side, wanted: list[Piece]) -> None:
    """Change what names the old column, after the backfill and before the contract."""
    for part in case.parts:
        if part.is_text:
            await ours.make(case, part, case.new)
    if case.strategy == "view":
        # What PostgreSQL knows follows the column by itself.
        return
    have = await ours.dump("--exclude-schema=invoicing_rename")
    missing = {piece[1:] for piece in differences(have, wanted) if piece[0] == "twin"}
    again = [piece for piece in wanted if piece.compared in missing]
    dropped = False
    for piece in again:
        if piece.kind == "MATERIALIZED VIEW":
            name = _KEPT.match(piece.sql)[1]
            await ours.admin.execute(f"DROP MATERIALIZED VIEW {name} CASCADE")
            dropped = True
        elif piece.kind in _REPLACED:
            await ours.admin.execute(piece.sql.replace(*_REPLACED[piece.kind], 1))
        elif piece.kind == "POLICY":
            name, table = _POLICY.match(piece.sql).groups()
            await ours.admin.execute(f"DROP POLICY {name} ON {table}; {piece.sql}")
    if dropped:
        await _make_again(ours, wanted)


async def _make_again(ours: Side, wanted: list[Piece]) -> None:
    """Make the materialized views, and what was dropped with them."""
    have = {piece.name for piece in await ours.dump() if piece.kind != "ACL"}
    gone = {
        piece.name
        for piece in wanted
        if piece.kind in {"MATERIALIZED VIEW", "VIEW"} and piece.name not in have
    }
    for piece in wanted:
        if (
            piece.name in gone
            or piece.name.split(" ")[-1] in gone
            or (piece.kind == "INDEX" and piece.name not in have)
        ):
            await ours.admin.execute(piece.sql)
