"""The servers that examples are judged on: one of each major version for all modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import UNSAFE, throw_away_server
from tests.rename.conftest import ONE_A_MAJOR
from tests.rename.differential.arena import Arena

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = UNSAFE | {"wal_level": "logical", "jit": "off"}


@pytest.fixture(scope="session", params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    """Yield two databases of a server."""
    installation = request.param
    with throw_away_server(installation, SETTINGS) as server:
        arena = Arena(server.url("postgres"), installation.bin_dir, installation.major)
        yield arena
        arena.close()
