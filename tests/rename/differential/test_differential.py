"""A rename against PostgreSQL's own, on schemas and with work that were made by chance.

`INVOICING_TEST_EXAMPLES` is how many on each server, and `INVOICING_TEST_SEED` which. All of them
are judged; of each kind of difference the assertion has one example, as small as it can be.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.rename.differential.judge import DifferenceError
from tests.rename.differential.known import is_known
from tests.rename.differential.report import report
from tests.rename.differential.schemas import cases
from tests.rename.differential.smaller import smaller

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena
    from tests.rename.differential.case import Case

EXAMPLES = int(os.environ.get("INVOICING_TEST_EXAMPLES", "35"))
SEED = int(os.environ.get("INVOICING_TEST_SEED", "1"))


# A third as many of scripts: each example runs psql four times.
@pytest.mark.parametrize(("strategy", "share"), [(None, 1), ("script", 3)])
def test_a_rename_is_what_postgresql_makes_of_it(
    arena: Arena, strategy: Literal["script"] | None, share: int
) -> None:
    differing: dict[str, Case] = {}

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES // share,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=cases(arena.version, strategy))
    def judged(case: Case) -> None:
        try:
            arena.judge(case)
        except DifferenceError as error:
            if not is_known(error, case, arena.tally):
                differing.setdefault(error.kind, case)

    judged()
    sys.stdout.write(report(arena))
    if differing:
        pytest.fail("\n\n".join(_shown(arena, kind, case) for kind, case in differing.items()))


def _shown(arena: Arena, kind: str, case: Case) -> str:
    small = smaller(case, kind, arena.judge)
    try:
        arena.judge(small)
    except DifferenceError as error:
        return f"{small.script()}\n{error}"
    return f"{case.script()}\n{kind}, and not a second time"
