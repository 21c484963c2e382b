"""The draw: each case on one server, each server for the tests that have as many cases."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from tests.draw import pytest_collection_modifyitems

if TYPE_CHECKING:
    import pytest


def item(test: str, *marks: str, **indices: int) -> Any:
    """Return what stands for a collected test with the parameters' positions."""
    case = "-".join(f"{name}{at}" for name, at in indices.items())
    return SimpleNamespace(
        nodeid=f"test_a.py::{test}[{case}]" if case else test,
        callspec=SimpleNamespace(params=indices, indices=indices),
        get_closest_marker=lambda name: name in marks,
    )


def draw(items: list[Any]) -> list[Any]:
    """Leave in `items` what is drawn, and return what is not."""
    gone: list[Any] = []
    hook = SimpleNamespace(pytest_deselected=lambda *, items: gone.extend(items))
    pytest_collection_modifyitems(cast("Any", SimpleNamespace(hook=hook)), items)
    return gone


def test_every_case_is_left_on_one_server_and_takes_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVOICING_TEST_ALL", raising=False)
    plain = [item("test_plain", kind=at) for at in range(3)] + [item("test_without")]
    drawn = [
        item(f"test_{number}", server_url=server, kind=at)
        for number in range(9)
        for server in range(2)
        for at in range(4)
    ]
    items = [*plain, *drawn]
    gone = draw(items)

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


def test_of_a_broad_test_a_share_runs_with_each_strategy_and_what_was_once_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("INVOICING_TEST_ALL", raising=False)
    monkeypatch.setenv("INVOICING_TEST_SHARE", "5")
    few = [item("test_few", "broad", way=at % 2, shape=at // 2) for at in range(4)]
    kinds = [
        item("test_kinds", "broad", *["regression"] * (at == 7), server_url=server, kind=at)
        for server in range(2)
        for at in range(21)
    ]
    # As in tests/rename, where no test has to be marked, and in the folders beside it.
    of_folders = [item(name, at=at) for at in range(6) for name in ("rename/test_a", "load/test_b")]
    for each in of_folders:
        each.nodeid, each.fixturenames = f"tests/{each.nodeid[11:]}", ["url", "server_url"]
    items = [*few, *kinds, *of_folders]
    draw(items)

    drawn: dict[str, list[Any]] = defaultdict(list)
    for each in items:
        drawn[each.nodeid.partition("[")[0].rpartition("::")[2]].append(each.callspec.indices)
    ways = [(at["way"], at["shape"]) for at in drawn["test_few"]]
    assert ways[0] == (0, 0)
    assert {way for way, _ in ways} == {shape for _, shape in ways} == {0, 1}
    assert sorted(at["kind"] for at in drawn["test_kinds"]) == [0, 5, 7, 10, 15, 20]
    assert {at["server_url"] for at in drawn["test_kinds"]} == {0, 1}
    assert [at["at"] for at in drawn["tests/rename/test_a"]] == [0, 5]
    assert [at["at"] for at in drawn["tests/load/test_b"]] == [0, 1, 2, 3, 4, 5]

    monkeypatch.delenv("INVOICING_TEST_SHARE")
    assert draw([*few, *of_folders]) == []
