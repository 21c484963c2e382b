"""Draws that depend on a seed, a purpose and a row's number, and on nothing else.

Each draw is SplitMix64's output function (Steele, Lea, Flood: "Fast splittable pseudorandom number
generators", OOPSLA 2014; constants as in Sebastiano Vigna's public-domain splitmix64.c) of a key
plus the row's number times the golden gamma. A row is thus the same whichever chunk it is made in.

Only 64-bit integer arithmetic is used: numpy's distributions may change between its versions, and
floats between mathematical libraries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Draws: TypeAlias = npt.NDArray[np.uint64]
Integers: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """Rows as columns, an array each; `numbers` is what their ids are drawn from."""

    numbers: Draws

    def __len__(self) -> int:
        return len(self.numbers)


SEED_LIMIT = 2**64
# A table holds this many equally likely entries; ten bits of a draw choose one.
TABLE_SIZE = 1024

_WORD = 2**64 - 1
_GAMMA = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


class Stream(IntEnum):
    """What a draw is for; draws of different streams are independent of each other.

    The numbers are part of what a seed means: changing one changes every sample.
    """

    ACCOUNT_ID_HIGH = 1
    ACCOUNT_ID_LOW = 2
    ACCOUNT_TRAITS = 3
    ACCOUNT_TIME = 4
    ACCOUNT_NAME = 5
    INVOICE_ID_HIGH = 11
    INVOICE_ID_LOW = 12
    INVOICE_ACCOUNT = 13
    INVOICE_MONTH = 14
    INVOICE_DAY = 15
    INVOICE_STATUS = 16
    INVOICE_SHAPE = 17
    LINE_ID_HIGH = 21
    LINE_ID_LOW = 22
    LINE_PRODUCT = 23


def draw(seed: int, stream: Stream, numbers: Draws) -> Draws:
    """Return 64 bits for each row number of one stream."""
    mixed = numbers * np.uint64(_GAMMA)
    mixed += np.uint64(_key(seed, stream))
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(_FIRST)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(_SECOND)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def bits(draws: Draws, first: int, count: int) -> Integers:
    """Return `count` bits of each draw, from bit `first` on, as numbers."""
    return ((draws >> np.uint64(first)) & np.uint64((1 << count) - 1)).astype(np.int64)


def below(draws: Draws, limit: int | Integers) -> Integers:
    """Return a number from 0 to `limit` - 1 for each draw.

    A limit is far under 2**64, so that the remainder's bias is too small to be seen.
    """
    return (draws % np.asarray(limit).astype(np.uint64)).astype(np.int64)


def uuid_words(seed: int, high: Stream, low: Stream, numbers: Draws) -> tuple[Draws, Draws]:
    """Return the two halves of a version 8 UUID (RFC 9562: of the maker's own scheme) a row."""
    first = draw(seed, high, numbers)
    first &= np.uint64(0xFFFFFFFFFFFF0FFF)
    first |= np.uint64(0x8000)
    second = draw(seed, low, numbers)
    second &= np.uint64(0x3FFFFFFFFFFFFFFF)
    second |= np.uint64(0x8000000000000000)
    return first, second


def weighted_table(weights: Sequence[int]) -> Integers:
    """Return TABLE_SIZE entries in which entry k stands `weights[k]` times; they add up to it."""
    if sum(weights) != TABLE_SIZE:
        message = f"the weights add up to {sum(weights)}, not to {TABLE_SIZE}"
        raise ValueError(message)
    return np.repeat(np.arange(len(weights), dtype=np.int64), np.asarray(weights))


def _key(seed: int, stream: Stream) -> int:
    return _mix(_mix(seed) ^ (stream * _GAMMA & _WORD))


def _mix(word: int) -> int:
    word = (word + _GAMMA) & _WORD
    word = ((word ^ word >> 30) * _FIRST) & _WORD
    word = ((word ^ word >> 27) * _SECOND) & _WORD
    return word ^ word >> 31
