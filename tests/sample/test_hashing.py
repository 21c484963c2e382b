from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.sample.hashing import (
    SEED_LIMIT,
    Stream,
    _key,
    _mix,
    below,
    bits,
    draw,
    uuid_words,
    weighted_table,
)

GAMMA = 0x9E3779B97F4A7C15
WORDS = st.integers(0, SEED_LIMIT - 1)


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


def test_it_is_splitmix64() -> None:
    # The generator's well-known first outputs for the seed 1234567.
    state, found = 1234567, []
    for _ in range(5):
        found.append(_mix(state))
        state = (state + GAMMA) % SEED_LIMIT
    assert found == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(WORDS, st.sampled_from(Stream), st.lists(WORDS, min_size=1, max_size=20))
def test_whole_arrays_are_drawn_like_single_numbers(
    seed: int, stream: Stream, rows: list[int]
) -> None:
    key = _key(seed, stream)
    expected = [_mix((key + (row - 1) * GAMMA) % SEED_LIMIT) for row in rows]
    assert draw(seed, stream, numbers(*rows)).tolist() == expected


@given(WORDS, st.integers(1, 2**40))
def test_a_number_below_a_limit_is(word: int, limit: int) -> None:
    assert below(numbers(word), limit).tolist() == [word % limit]


@given(WORDS, st.integers(0, 63), st.integers(1, 16))
def test_bits_are_cut_out_of_a_draw(word: int, first: int, count: int) -> None:
    assert bits(numbers(word), first, count).tolist() == [(word >> first) % 2**count]


@given(WORDS, WORDS)
def test_ids_are_of_version_8_and_the_rfc_variant(seed: int, row: int) -> None:
    high, low = uuid_words(seed, Stream.LINE_ID_HIGH, Stream.LINE_ID_LOW, numbers(row))
    assert (int(high[0]) >> 12) & 0xF == 8
    assert int(low[0]) >> 62 == 0b10


def test_a_table_holds_each_entry_as_often_as_it_weighs() -> None:
    assert np.bincount(weighted_table([24, 1000])).tolist() == [24, 1000]
    with pytest.raises(ValueError, match="add up to 3, not to 1024"):
        weighted_table([1, 2])
