"""Rows of a service to a pandas DataFrame with the right dtypes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, get_args
from uuid import UUID

import pandas as pd
from pydantic import BaseModel

from invoicing.notebook.errors import MissingAwaitError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Int64, not int64 or float64: cents stay exact, and stay integers beside a missing value.
DTYPES: dict[type, str] = {
    bool: "boolean",
    int: "Int64",
    float: "float64",
    datetime: "datetime64[us, UTC]",
    date: "datetime64[s]",
    UUID: "str",
    Enum: "str",
    str: "str",
}


def frame(rows: Sequence[BaseModel], model: type[BaseModel] | None = None) -> pd.DataFrame:
    """Return one DataFrame row for each of `rows`, a column for each field of their schema.

    What the schema computes of its fields (`difference_cents`) has columns too, after the fields.

    Integers are Int64, moments are UTC timestamps, ids and statuses are text.

    Args:
        rows: what a service returned; all of one schema.
        model: their schema; needed only when `rows` may be empty.

    Raises:
        ValueError: `rows` is empty and `model` is not given.
    """
    rows = listed(rows)
    if model is None:
        if not rows:
            message = "an empty list has no columns: pass the schema, frame(rows, StatusTotal)"
            raise ValueError(message)
        model = type(rows[0])
    fields = {name: field.annotation for name, field in model.model_fields.items()}
    computed = {name: field.return_type for name, field in model.model_computed_fields.items()}
    columns = {
        name: pd.array(
            [_plain(getattr(row, name)) for row in rows],  # type: ignore[call-overload]
            dtype=_dtype(annotation),
        )
        for name, annotation in {**fields, **computed}.items()
    }
    return pd.DataFrame(columns)


def listed(rows: object) -> list[BaseModel]:
    """Return the rows as a list, also those of a generator.

    Raises:
        MissingAwaitError: the service that returns them was not awaited.
        TypeError: it is a single row, or no rows at all.
    """
    if inspect.iscoroutine(rows):
        raise MissingAwaitError(rows.__name__)
    if isinstance(rows, BaseModel) or not isinstance(rows, Iterable):
        message = (
            f"{type(rows).__name__} is no list of rows. Give a list: [row], or what it has one in"
        )
        raise TypeError(message)
    return list(rows)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def _dtype(annotation: object) -> str:
    # `X | None` is the column type of X: each dtype here has a missing value.
    types = [
        argument for argument in get_args(annotation) or [annotation] if argument is not type(None)
    ]
    (only,) = types if len(types) == 1 else (object,)
    for known, dtype in DTYPES.items():
        if isinstance(only, type) and issubclass(only, known):
            return dtype
    return "object"
