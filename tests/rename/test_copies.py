"""Whatever is on the column or on a partition's is on the new one as PostgreSQL would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rename.faults import connected
from tests.rename.shapes import Shape
from tests.rename.twin import (
    OURS,
    described,
    make_twins,
    of_the_twin,
    renaming,
    to_the_gate,
    without_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import URL


async def version_of(url: URL) -> int:
    async with connected(url) as connection:
        return connection.get_server_version().major


async def assert_as_the_twin(url: URL, statements: Iterable[str]) -> None:
    """Walk to the gate and back, then there and beyond, and all the way back."""
    await make_twins(url, statements)
    before = await described(url, OURS)
    expected = await of_the_twin(url, "amt", "cents")
    async with renaming(url) as rename:
        await to_the_gate(rename)
        during = without_names(await described(url, OURS))
        assert not [one for one in without_names(expected) if one not in during]
        await rename.rollback()
        assert await described(url, OURS) == before
        await to_the_gate(rename)
        await rename.contract(confirm="thing.amt")
        assert await described(url, OURS) == expected
        assert (await rename.restore()).completed
    async with renaming(url, "cents", "amt") as back:
        await back.contract(confirm="thing.cents")
    assert await described(url, OURS) == before


@pytest.mark.parametrize("number", range(9))
async def test_a_table_made_by_chance_is_as_its_twin(empty_database_url: URL, number: int) -> None:
    shape = Shape(number, await version_of(empty_database_url))
    await assert_as_the_twin(empty_database_url, shape.statements)
