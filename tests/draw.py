"""Which server each case of a test runs on, where each could run on several.

A test that is right on one server is nearly always right on another, and running every case on
every server takes twice as long. So the cases of a test take turns, and every server sees every
test that has as many cases. `INVOICING_TEST_ALL` runs every case on every server.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import pytest

# The fixtures whose parameter is a server's name or an installation.
SERVERS = ("server_url", "own_server", "watched_server")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave each case to one of its servers."""
    if os.environ.get("INVOICING_TEST_ALL"):
        return
    tests: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        test, _, case = item.nodeid.partition("[")
        tests[test][case_without_server(item) or case].append(item)
    left = {
        id(item)
        for test, cases in tests.items()
        for place, same in enumerate(cases.values(), crc32(test.encode()))
        for item in same
        if item is not same[place % len(same)]
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) in left])
    items[:] = [item for item in items if id(item) not in left]


def case_without_server(item: pytest.Item) -> str:
    """Return what tells a test's case apart from its others, or nothing without a server."""
    parameters = getattr(item, "callspec", None)
    if parameters is None or not any(name in parameters.params for name in SERVERS):
        return ""
    others = {name: at for name, at in parameters.indices.items() if name not in SERVERS}
    return f"case {sorted(others.items())}"
