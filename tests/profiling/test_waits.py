"""No judgement reads a clock: what counts is that a program waits, and not for how long."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from typing import TYPE_CHECKING
from unittest.mock import patch

from sqlalchemy import text
from sqlalchemy.orm import Session

from invoicing.toolkit.profiling import record_queries
from tests.profiling import test_waits as here

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from invoicing.toolkit.profiling import Recorder

RUNS = 100
sleep = time.sleep
NAMES = text("SELECT name FROM sqlite_master")


def asked(engine: Engine, times: int, work: int, pause: float) -> Recorder:
    with record_queries(engine) as recorder, engine.connect() as connection:
        for _ in range(times):
            connection.execute(NAMES)
            sum(hash(str(number)) for number in range(work))
            sleep(pause)
    return recorder


def test_the_same_program_has_the_same_findings_however_long_its_own_work_takes(
    sqlite: Engine,
) -> None:
    chance = random.Random(7)
    for _ in range(RUNS):
        (finding,) = asked(sqlite, 4, chance.choice([0, 10, 1000, 20_000]), 0).findings
        assert "was sent 4 times" in finding.message
        assert finding.cost.statements == 3


def test_a_program_that_sleeps_is_polling_however_short(sqlite: Engine) -> None:
    chance = random.Random(7)
    for _ in range(RUNS):
        assert asked(sqlite, 4, 0, chance.choice([1e-9, 1e-4])).findings == []


def waiting() -> list[object]:
    loop = vars(asyncio.BaseEventLoop)["call_at"]
    events = (asyncio.Event.wait, asyncio.Condition.wait, asyncio.Queue.get, threading.Event.wait)
    sessions = (Session.expire, Session.expire_all)
    return [here.sleep, time.sleep, asyncio.sleep, loop, *events, *sessions]


def test_what_makes_a_program_wait_is_as_it_was_after_the_last_recording(sqlite: Engine) -> None:
    before = waiting()
    with record_queries(sqlite):
        while_recording = waiting()
        with record_queries(sqlite):
            pass
        assert waiting() == while_recording
    assert not set(map(id, before)) & set(map(id, while_recording))
    assert waiting() == before


def test_what_another_has_exchanged_meanwhile_is_left_alone(sqlite: Engine) -> None:
    before = time.sleep
    with record_queries(sqlite):
        time.sleep = other = lambda _: None  # type: ignore[assignment]
    assert time.sleep is other
    time.sleep = before


async def test_a_test_may_put_a_mock_in_the_place_of_what_waits(sqlite: Engine) -> None:
    with record_queries(sqlite), patch("asyncio.sleep") as slept:
        # A mock of a coroutine function has to be awaited, and another cannot be.
        await asyncio.sleep(30)
    slept.assert_awaited_once_with(30)


async def test_a_timer_does_what_it_did(sqlite: Engine) -> None:
    rung: list[int] = []
    loop = asyncio.get_running_loop()
    with record_queries(sqlite):
        loop.call_later(0, rung.append, 1)
        loop.call_later(0, rung.append, 2).cancel()
        assert await asyncio.sleep(0.001, "slept") == "slept"
    assert rung == [1]
