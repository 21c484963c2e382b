"""What a model says of a column that had another name: `info=renamed_from("fee")`."""

from __future__ import annotations

from typing import Any

RENAMED_FROM = "renamed_from"


def renamed_from(old: str | None, **info: Any) -> dict[str, Any]:
    """Return the `info` of a column that was called `old`; None says that it is new.

    The same as `info={"renamed_from": old}`, which needs no import. It may stay in the model: once
    the database has no column of the old name, it says nothing more.

    Args:
        old: the column's name in the database until now.
        info: more for the same dictionary.
    """
    return {RENAMED_FROM: old, **info}
