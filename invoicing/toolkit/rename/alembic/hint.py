"""What a model says of a column that had another name or another type."""

from __future__ import annotations

from typing import Any, Literal

RENAMED_FROM = "renamed_from"
RETYPED_FROM = "retyped_from"
# How values are converted, where PostgreSQL's own conversion is not meant or there is none.
WAYS = ("using", "back", "loss")


def renamed_from(old: str | None, **info: Any) -> dict[str, Any]:
    """Return the `info` of a column that was called `old`; None says that it is new.

    The same as `info={"renamed_from": old}`, which needs no import. It may stay in the model: once
    the database has no column of the old name, it says nothing more.

    Args:
        old: the column's name in the database until now.
        info: more for the same dictionary.
    """
    return {RENAMED_FROM: old, **info}


def retyped_from(
    old: str | None,
    *,
    using: str | None = None,
    back: str | None = None,
    loss: Literal["error", "gate"] | None = None,
    **info: Any,
) -> dict[str, Any]:
    """Return the `info` of a column that was of the type `old`; None asks for a plain ALTER TYPE.

    The same as `info={"retyped_from": old}`, which needs no import. It may stay in the model: once
    the database has the column in its new type, it says nothing more.

    Args:
        old: the type in the database until now, as PostgreSQL names it: "integer".
        using: the new value, as an expression of the column.
        back: the old value, as an expression of the column as it will be.
        loss: what becomes of a write that cannot be converted back.
        info: more for the same dictionary: `renamed_from` too, where the name changes with it.
    """
    ways = {"using": using, "back": back, "loss": loss}
    return {RETYPED_FROM: old} | {k: v for k, v in ways.items() if v is not None} | info
