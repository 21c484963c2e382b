"""A server that a test may kill, lag behind, or fill: shared by the tests of one module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import find_installations
from tests.conftest import UNSAFE, throw_away_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.postgres import Server

ONE_A_MAJOR = {installation.major: installation for installation in find_installations()}
# What is acknowledged has to be there after a kill; only the machine itself may not stop.
KILLABLE = UNSAFE | {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_prepared_transactions": "5",
}


@pytest.fixture(scope="module", params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that a test may kill."""
    with throw_away_server(request.param, KILLABLE) as server:
        yield server
