"""Which cases of a test `make test` runs, and on which server.

A test that is right on one server is nearly always right on another, and running every case on
every server takes twice as long. So the cases of a test take turns, and every server sees every
test that has as many cases. Where a case takes long, and many differ in their input alone, one in
`INVOICING_TEST_SHARE` of them runs, which `make test` sets (see `share_of`); without it each does.
`INVOICING_TEST_ALL` runs every case on every server.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from collections.abc import Sequence

# Starting JupyterLab and a browser takes seconds: one worker does it, for all the files there.
TOGETHER = "tests/browser/"
# The fixtures whose parameter is a server's name or an installation.
SERVERS = ("server_url", "own_server", "watched_server")
# Where a case has a database of its own, and walks through phases in it ...
BROAD = ("tests/rename/", "tests/migrations/", "tests/proof/")
# ... but for those that kill, and those that were found by chance.
WHOLE = ("tests/rename/differential/", "tests/rename/test_kills", "tests/rename/test_live")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """Give a worker whole files, and one of them all those that share a browser."""
    if config.getoption("dist") != "loadfile":
        return None

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    return Scheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave a share of the cases where they are broad, and each to one of its servers."""
    if os.environ.get("INVOICING_TEST_ALL"):
        return
    tests: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        test, _, case = item.nodeid.partition("[")
        tests[test][case_without_server(item) or case].append(item)
    kept = {
        id(same[place % len(same)])
        for test, cases in tests.items()
        for place, same in enumerate(share_of(list(cases.values())), crc32(test.encode()))
    }
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in kept])
    items[:] = [item for item in items if id(item) in kept]


def case_without_server(item: pytest.Item) -> str:
    """Return what tells a test's case apart from its others, or nothing without a server."""
    parameters = getattr(item, "callspec", None)
    if parameters is None or not any(name in parameters.params for name in SERVERS):
        return ""
    return f"case {sorted(_indices(item).items())}"


def share_of(cases: Sequence[list[pytest.Item]]) -> list[list[pytest.Item]]:
    """Return the cases of one test that run, each with the servers it could run on.

    Of a broad test these are the first and one in so many after it, every case that is marked as a
    `regression`, and one for each value of a parameter that has only a few, such as the two
    strategies of a rename. An odd number takes turns with cases that alternate.
    """
    share = int(os.environ.get("INVOICING_TEST_SHARE", "1"))
    firsts = [same[0] for same in cases]
    if not _is_broad(firsts[0]):
        return list(cases)
    kept = {
        place
        for place, item in enumerate(firsts)
        if place % share == 0 or item.get_closest_marker("regression")
    }
    places: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place, item in enumerate(firsts):
        for value in _indices(item).items():
            places[value].append(place)
    for name in {name for name, _ in places}:
        values = [at for (of, _), at in places.items() if of == name]
        if len(values) <= min(share, len(cases) - 1):
            # The last, which is likely to have other parameters' other values as well.
            kept |= {at[-1] for at in values if kept.isdisjoint(at)}
    return [cases[place] for place in sorted(kept)]


def _is_broad(item: pytest.Item) -> bool:
    if item.get_closest_marker("broad"):
        return True
    in_database = any(name in getattr(item, "fixturenames", ()) for name in SERVERS)
    return in_database and item.nodeid.startswith(BROAD) and not item.nodeid.startswith(WHOLE)


def _indices(item: pytest.Item) -> dict[str, int]:
    """Return a case's place among the values of each parameter but its server."""
    parameters = getattr(item, "callspec", None)
    indices = {} if parameters is None else parameters.indices
    return {name: at for name, at in indices.items() if name not in SERVERS}
