"""A second server follows the first, and can be kept from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.postgres import (
    Installation,
    Outcome,
    Server,
    find_installations,
    make_standby,
)
from invoicing.toolkit.postgres.errors import InitdbError, ServerNotRunningError
from tests.postgres.conftest import kill, query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ONE_A_MAJOR = {installation.major: installation for installation in find_installations()}


@pytest.fixture(params=ONE_A_MAJOR.values(), ids=map(str, ONE_A_MAJOR))
def primary(request: pytest.FixtureRequest, make_server: Callable[..., Server]) -> Server:
    installation: Installation = request.param
    server = make_server(installation=installation)
    server.ensure_running()
    return server


@pytest.fixture
def standby(primary: Server) -> Iterator[Server]:
    standby = make_standby(primary, primary.data_dir.with_name("standby data"))
    standby.ensure_running()
    yield standby
    standby.stop()


def wait_for(server: Server, statement: str, answer: str) -> None:
    deadline = time.monotonic() + 10
    while query(server, statement) != answer:
        assert time.monotonic() < deadline, f"{statement}: {query(server, statement)}"
        time.sleep(0.05)


def test_a_standby_answers_what_was_written_on_the_primary(
    primary: Server, standby: Server
) -> None:
    query(primary, "CREATE TABLE t AS SELECT 42 AS answer")
    wait_for(standby, "SELECT to_regclass('t')", "t")
    assert query(standby, "SELECT answer FROM t") == "42"
    assert query(standby, "SELECT pg_is_in_recovery()") == "t"
    assert query(primary, "SELECT application_name, state FROM pg_stat_replication") == (
        "standby|streaming"
    )


def test_a_standby_whose_replay_is_paused_falls_behind_and_catches_up(
    primary: Server, standby: Server
) -> None:
    behind = "SELECT pg_current_wal_lsn() - replay_lsn > 100000 FROM pg_stat_replication"
    query(standby, "SELECT pg_wal_replay_pause()")
    query(primary, "CREATE TABLE t AS SELECT generate_series(1, 10000)")
    wait_for(primary, behind, "t")
    query(standby, "SELECT pg_wal_replay_resume()")
    wait_for(primary, behind, "f")


def test_a_killed_standby_is_started_again_and_follows(primary: Server, standby: Server) -> None:
    kill(standby.status().pid)
    query(primary, "CREATE TABLE t ()")
    again = make_standby(primary, standby.data_dir)
    assert again.ensure_running().outcome is Outcome.RECOVERED
    wait_for(again, "SELECT to_regclass('t')", "t")


def test_a_stopped_server_has_no_standby(server: Server) -> None:
    with pytest.raises(ServerNotRunningError):
        make_standby(server, server.data_dir.with_name("standby"))


def test_a_server_that_sends_no_wal_has_no_standby_and_none_is_left(
    make_server: Callable[..., Server],
) -> None:
    server = make_server(settings={"max_wal_senders": "0"})
    server.ensure_running()
    with pytest.raises(InitdbError, match=r"pg_basebackup said: .*max_wal_senders"):
        make_standby(server, server.data_dir.with_name("standby"))
    assert not list(server.data_dir.parent.glob("standby*"))
