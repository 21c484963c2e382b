"""Differences that are known differ still: one that does not any more is taken off the list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rename.differential.judge import DifferenceError
from tests.rename.differential.known import KNOWN, is_known

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena
    from tests.rename.differential.known import Known


@pytest.mark.parametrize("known", KNOWN, ids=[known.slug for known in KNOWN])
def test_a_known_difference(arena: Arena, known: Known, request: pytest.FixtureRequest) -> None:
    if arena.version >= known.since:
        differs = pytest.mark.xfail(strict=True, raises=DifferenceError, reason=known.reason)
        request.applymarker(differs)
    try:
        arena.judge(known.example)
    except DifferenceError as error:
        if is_known(error, known.example, arena.tally):
            raise
        pytest.fail(f"{known.slug} is not what differs: {error}")
