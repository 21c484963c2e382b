"""A rename against PostgreSQL's own, on schemas and with work that were made by chance.

`INVOICING_TEST_EXAMPLES` is how many on each server, and `INVOICING_TEST_SEED` which; with
`INVOICING_TEST_DIFFERENCES` a folder, all go on after a difference, and the shortest script of each
kind is kept there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.conftest import UNSAFE, throw_away_server
from tests.rename.conftest import ONE_A_MAJOR
from tests.rename.differential.arena import Arena
from tests.rename.differential.judge import DifferenceError
from tests.rename.differential.report import report
from tests.rename.differential.schemas import cases

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = int(os.environ.get("INVOICING_TEST_EXAMPLES", "30"))
SEED = int(os.environ.get("INVOICING_TEST_SEED", "1"))
SETTINGS = UNSAFE | {"wal_level": "logical"}
KEPT = os.environ.get("INVOICING_TEST_DIFFERENCES", "")


@pytest.fixture(scope="module", params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """Yield two databases of a server; print at the end what became of the examples."""
    installation = request.param
    with throw_away_server(installation, SETTINGS) as server:
        arena = Arena(server.url("postgres"), installation.bin_dir, installation.major)
        yield arena
        arena.close()
    print(report(arena))


def test_a_rename_is_what_postgresql_makes_of_it(arena: Arena) -> None:
    differences: dict[str, str] = {}

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate] if KEPT else [Phase.generate, Phase.shrink],
    )
    @given(case=cases(arena.version))
    def judged(case) -> None:
        try:
            arena.judge(case)
        except DifferenceError as error:
            if not KEPT:
                raise
            script = "\n".join([*error.__notes__, "/*", str(error), "*/"])
            kept = differences.get(error.kind)
            if kept is None or len(script) < len(kept):
                differences[error.kind] = script
                _keep(arena, error.kind, script)

    judged()
    assert not differences, "\n".join(differences)


def _keep(arena: Arena, kind: str, script: str) -> None:
    name = re.sub(r"\W+", "-", kind)[:120]
    folder = Path(KEPT) / str(arena.version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.sql").write_text(script)
