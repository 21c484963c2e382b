"""The draw: each case on one server, each server for the tests that have as many cases."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.draw import pytest_collection_modifyitems

if TYPE_CHECKING:
    import pytest


def item(test: str, **indices: int) -> Any:
    """Return what stands for a collected test with the parameters' positions."""
    case = "-".join(f"{name}{at}" for name, at in indices.items())
    spec = SimpleNamespace(params=indices, indices=indices)
    return SimpleNamespace(nodeid=f"test_a.py::{test}[{case}]" if case else test, callspec=spec)


def test_every_case_is_left_on_one_server_and_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOICING_TEST_ALL", raising=False)
    plain = [item("test_plain", kind=at) for at in range(3)] + [item("test_without")]
    drawn = [
        item(f"test_{number}", server_url=server, kind=at)
        for number in range(9)
        for server in range(2)
        for at in range(4)
    ]
    gone: list[Any] = []

    def note(*, items: list[Any]) -> None:
        gone.extend(items)

    hook = SimpleNamespace(pytest_deselected=note)
    items = [*plain, *drawn]
    pytest_collection_modifyitems(cast("Any", SimpleNamespace(hook=hook)), items)

    assert items[: len(plain)] == plain
    kept: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for each in items[len(plain) :]:
        at = each.callspec.indices
        kept[each.nodeid.partition("[")[0]][at["server_url"]].append(at["kind"])
    assert all(len(servers[0]) == len(servers[1]) == 2 for servers in kept.values())
    assert all(sorted(servers[0] + servers[1]) == [0, 1, 2, 3] for servers in kept.values())
    assert len(gone) == len(drawn) / 2
    # Not every test begins with the same server.
    assert len({servers[0][0] for servers in kept.values()}) == 2
