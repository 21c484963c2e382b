"""Tell parameters apart without keeping them; keep, on request, those that are no secret."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import ExecutionContext

SECRET = re.compile(
    r"pass(word|wd|phrase)?|pwd|secret|token|api_?key|private|credential|auth|salt|hash|cookie"
    r"|session|signature|otp|pin\b|cvv|iban|card|ssn",
    re.IGNORECASE,
)
MASKED = "***"
SHOWN = 200
# Rows whose values are compared with the parameters of later statements.
LOOKED_AT = 100
# As parameter_roles.py tells literals from what looks like them.
_LITERAL = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<literal>'(?:[^']|'')*'|(?<![\w.$])\d+(?:\.\d+)?\b)", re.DOTALL
)


def hashes_of(parameters: Any) -> tuple[int, ...]:
    """Return a number for each parameter, equal for equal ones; one for all of an executemany."""
    values = parameters.values() if isinstance(parameters, dict) else parameters
    try:
        return tuple(map(hash, values))
    except TypeError:
        # A list or a dictionary among them; or an executemany, whose sets are dictionaries.
        several = values is None or isinstance(values, list)
        return (hash(repr(values)),) if several else tuple(map(_hash, values))


def _hash(value: Any) -> int:
    # An array of one is as good as what is in it.
    given = value[0] if isinstance(value, list) and len(value) == 1 else value
    try:
        return hash(given)
    except TypeError:
        return hash(repr(given))


@lru_cache(maxsize=2048)
def hashes_of_literals(text: str) -> tuple[int, ...]:
    """Return such a number for each literal in a statement that has no parameters."""
    return tuple(
        hash(_literal(literal[0])) for literal in _LITERAL.finditer(text) if literal["literal"]
    )


def _literal(text: str) -> int | float | str:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    return float(text) if "." in text else int(text)


def hashes_of_values(rows: Sequence[Any]) -> tuple[set[int], ...]:
    """Return, for each column, such a number for each value in the first rows."""
    return tuple(map(_hashes, zip(*rows[:LOOKED_AT], strict=True)))


def _hashes(values: tuple[Any, ...]) -> set[int]:
    try:
        return set(map(hash, values))
    except TypeError:
        return set()


def shown_parameters(
    context: ExecutionContext,
    parameters: Any,
    executemany: bool,
) -> tuple[tuple[str, Any], ...]:
    """Return names and values, of the first execution; what may be secret is masked.

    A value is shown only where its name is known and does not sound like a secret; long ones are
    cut.
    """
    given: Mapping[str, Any] | Sequence[Any] = parameters[0] if executemany else parameters
    if isinstance(given, dict):
        return tuple((name, _shown(name, value)) for name, value in given.items())
    names: Sequence[str] = getattr(context.compiled, "positiontup", None) or ()
    if len(names) != len(given):
        return tuple((str(place), MASKED) for place, _ in enumerate(given, 1))
    return tuple((name, _shown(name, value)) for name, value in zip(names, given, strict=True))


def _shown(name: str, value: Any) -> Any:
    if SECRET.search(name):
        return MASKED
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > SHOWN:
        return value[:SHOWN] + "..."
    return value
