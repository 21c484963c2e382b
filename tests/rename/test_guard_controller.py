"""The guard's decisions, by generated readings and against a model of a server."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from invoicing.toolkit.rename.guard.canary import Canary, slow_mean
from invoicing.toolkit.rename.guard.controller import LOWEST, Controller, Limits, Reading, Speed

LIMITS = Limits(latency=1.5, active=20, wal=50.0, lag=10.0)
LEVELS = st.floats(LOWEST, 1.0)
READINGS = st.builds(
    Reading,
    latency=st.none() | st.floats(0, 50),
    active=st.none() | st.integers(0, 100),
    wal=st.none() | st.floats(0, 500),
    lag=st.none() | st.floats(0, 60),
    checkpoints=st.integers(0, 2),
)
KEPT = Reading(latency=1.0, active=1, wal=1.0, lag=0.0)


@seed(15)
@given(LEVELS, st.lists(READINGS, max_size=30))
def test_the_level_stays_between_its_bounds(level: float, readings: list[Reading]) -> None:
    controller = Controller(level)
    for reading in readings:
        assert LOWEST <= controller.decide(reading, LIMITS) <= 1
    assert sum(controller.lowered.values()) <= len(readings)


@seed(15)
@given(LEVELS, READINGS)
def test_a_passed_limit_lowers_by_a_factor_and_a_kept_one_raises_by_a_constant(
    level: float, reading: Reading
) -> None:
    passed = any(pressure.used > 1 for pressure in reading.pressures(LIMITS))
    controller = Controller(level)
    after = controller.decide(reading, LIMITS)
    if passed:
        assert after == LOWEST or after <= 0.75 * level
        assert controller.why
    else:
        assert level <= after <= level + 0.081
        assert not controller.why


@seed(15)
@given(LEVELS, READINGS, st.sampled_from(["latency", "active", "wal", "lag"]), st.floats(1, 10))
def test_a_worse_reading_never_leads_to_a_higher_level(
    level: float, reading: Reading, name: str, times: float
) -> None:
    value = getattr(reading, name)
    if value is None:
        return
    worse = Reading(**vars(reading) | {name: value * times})
    assert Controller(level).decide(worse, LIMITS) <= Controller(level).decide(reading, LIMITS)


@seed(15)
@given(LEVELS, LEVELS, st.integers(1, 8))
def test_a_higher_level_lets_at_least_as_much_be_done(
    first: float, second: float, workers: int
) -> None:
    lower, higher = (Speed.of(level, workers) for level in sorted((first, second)))
    assert lower.batch <= higher.batch <= 1
    assert lower.workers * lower.duty <= higher.workers * higher.duty + 1e-9
    for speed in (lower, higher):
        assert 1 <= speed.workers <= workers
        assert 0 < speed.duty <= 1
        assert speed.rest(1.0) >= 0
    assert Speed.of(1.0, workers) == Speed(workers, 1.0, 1.0)


@pytest.mark.parametrize("limits", [LIMITS, Limits(latency=1.5), Limits(active=5)])
def test_a_calm_server_has_the_whole_speed_soon(limits: Limits) -> None:
    controller = Controller(LOWEST)
    levels = [controller.decide(KEPT, limits) for _ in range(15)]
    assert levels == sorted(levels)
    assert levels[-1] == 1


def test_what_is_not_known_is_no_reason_to_go_faster() -> None:
    controller = Controller(0.5)
    assert controller.decide(Reading(), Limits(latency=1.5)) == 0.5
    assert controller.decide(Reading(active=30), Limits(latency=1.5, active=20)) < 0.5


@pytest.mark.parametrize("cost", [0.0, 0.6, 1.0, 3.0, 10.0])
@pytest.mark.parametrize("number", range(4))
def test_on_a_model_of_a_server_clients_keep_to_the_limit_and_most_of_the_speed_is_had(
    cost: float, number: int
) -> None:
    """A client's wait grows with what the backfill does, with noise; the best level is known."""
    random, controller = Random(number), Controller()
    waits, levels = [], []
    for step in range(400):
        wait = (1 + cost * controller.level) * random.uniform(0.9, 1.1)
        controller.decide(Reading(latency=wait), Limits(latency=1.5))
        if step >= 40:
            waits.append(wait)
            levels.append(controller.level)
    best = 1.0 if cost == 0 else min(0.5 / cost, 1.0)
    assert sum(waits) / len(waits) <= 1.5
    assert sum(levels) / len(levels) >= 0.6 * best


def test_slow_at_the_lowest_level_for_long_asks_for_another_calm_level() -> None:
    controller = Controller(LOWEST)
    slow = Reading(latency=3.0)
    for _ in range(20):
        assert not controller.doubtful or controller.level == LOWEST
        controller.decide(slow, LIMITS)
    assert controller.doubtful
    controller.calmed()
    assert not controller.doubtful
    for _ in range(20):
        controller.decide(Reading(latency=1.0, active=99), LIMITS)
    assert not controller.doubtful, "other sessions do not make the calm level wrong"


class Clock:
    """Time that goes on when it is asked to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_canary_compares_the_slowest_with_the_calm_ones() -> None:
    clock = Clock()
    canary = Canary(clock)

    async def sing(took: float, times: int = 10) -> None:
        for _ in range(times):

            async def wait() -> None:
                clock.now += took

            await canary.sing(wait)

    await sing(0.01)
    assert canary.times_calm() is None
    canary.settle()
    assert canary.times_calm() is None, "nothing was measured since"
    await sing(0.02)
    assert canary.times_calm() == pytest.approx(2.0)
    clock.now += 60
    assert canary.times_calm() is None, "what was measured long ago does not count"


async def test_a_canary_that_is_still_waiting_counts_what_it_has_waited() -> None:
    clock = Clock()
    canary = Canary(clock)
    canary.calm = 0.1
    seen = []

    async def wait() -> None:
        clock.now += 3
        seen.append(canary.times_calm())

    await canary.sing(wait)
    assert seen == [pytest.approx(30.0)]


@seed(15)
@given(st.lists(st.floats(0.001, 10), min_size=6, max_size=60))
def test_the_slow_mean_lies_between_the_mean_and_the_slowest(samples: list[float]) -> None:
    assert sum(samples) / len(samples) - 1e-9 <= slow_mean(samples) <= max(samples) + 1e-9
