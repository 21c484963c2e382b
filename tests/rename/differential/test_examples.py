"""What has once differed, each as small as it could be made, with what was wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.rename.differential.examples import ROWS, example

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena
    from tests.rename.differential.case import Case

EXAMPLES: dict[str, Case] = {
    # The plan saw columns of a partition key, but none of its expressions: the contract failed at
    # its last step, with the old name gone from the record.
    "a partition key that is an expression": example(
        "CREATE TABLE @t (id int, @c bigint, note text) PARTITION BY LIST ((@c IS NULL))",
        "CREATE TABLE @s.some PARTITION OF @t DEFAULT",
        ROWS,
    ),
    # The default came back with a cast to the base type around it.
    "a default that ends with a cast to its own domain": example(
        "CREATE TABLE @t (id int PRIMARY KEY, @c @s.cents DEFAULT '1'::text::@s.cents)",
        before=("CREATE DOMAIN @s.cents AS bigint",),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_has_once_differed_does_not(arena: Arena, name: str) -> None:
    arena.judge(EXAMPLES[name])
