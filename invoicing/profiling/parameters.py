"""Tell parameters apart without keeping them; keep, on request, those that are no secret."""

from __future__ import annotations

import re
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


def key_of(salt: int, parameters: Any) -> int:  # noqa: ANN401 -- as any driver takes them
    """Return a number that is equal for equal parameters, and of no use without `salt`."""
    try:
        if isinstance(parameters, dict):
            return hash((salt, tuple(parameters.items())))
        return hash((salt, *parameters))
    except TypeError:
        # A list or a dictionary among them; or an executemany, whose sets are dictionaries.
        return hash((salt, repr(parameters)))


def shown_parameters(
    context: ExecutionContext,
    parameters: Any,  # noqa: ANN401
    executemany: bool,
) -> tuple[tuple[str, Any], ...]:
    """Return names and values, of the first execution; what may be secret is masked.

    A value is shown only where its name is known and does not sound like a secret; long ones are
    cut.
    """
    one: Mapping[str, Any] | Sequence[Any] = parameters[0] if executemany else parameters
    if isinstance(one, dict):
        return tuple((name, _shown(name, value)) for name, value in one.items())
    names: Sequence[str] = getattr(context.compiled, "positiontup", None) or ()
    if len(names) != len(one):
        return tuple((str(place), MASKED) for place, _ in enumerate(one, 1))
    return tuple((name, _shown(name, value)) for name, value in zip(names, one, strict=True))


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401
    if SECRET.search(name):
        return MASKED
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > SHOWN:
        return value[:SHOWN] + "..."
    return value
