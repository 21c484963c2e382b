"""The judge sees what differs: one that finds nothing would be no judge."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest

from invoicing.toolkit.rename.rehearsal import plain
from tests.rename.conftest import ONE_A_MAJOR
from tests.rename.differential.case import Work
from tests.rename.differential.examples import ROWS, TABLE, example
from tests.rename.differential.judge import DifferenceError
from tests.rename.differential.smaller import smaller

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena

# The judge is the same on all of them.
NEWEST = max(ONE_A_MAJOR)
pytestmark = pytest.mark.parametrize(
    "arena", [pytest.param(ONE_A_MAJOR[NEWEST], id=str(NEWEST))], indirect=True
)
INDEX = "CREATE INDEX thing_amt ON @t (@c)"


@pytest.mark.parametrize("strategy", ["columns", "view"])
@pytest.mark.parametrize("ending", ["backfill", "contract"])
def test_a_plain_table_is_no_difference(arena: Arena, strategy: str, ending: str) -> None:
    work = Work("insert", ("INSERT INTO @t (id, @c) VALUES (50, 5)",), "new")
    arena.judge(
        example(TABLE, ROWS, INDEX, strategy=strategy, ending=ending, work={"expand": (work,)})
    )


@pytest.mark.parametrize("strategy", ["columns", "view"])
def test_a_name_that_differs_is_seen(arena: Arena, strategy: str) -> None:
    with (
        mock.patch.object(plain, "renamed", return_value=None),
        pytest.raises(DifferenceError, match="schema after contract: INDEX"),
    ):
        arena.judge(example(TABLE, ROWS, INDEX, strategy=strategy))


def test_a_row_that_differs_is_seen(arena: Arena) -> None:
    work = Work("insert", ("INSERT INTO @t (id, note) VALUES (50, current_database())",))
    with pytest.raises(DifferenceError, match="rows after insert by the old name after verify"):
        arena.judge(example(TABLE, ROWS, work={"verify": (work,)}))


def test_a_sqlstate_that_differs_is_seen(arena: Arena) -> None:
    sql = "INSERT INTO @t (id) SELECT 1 / count(*) FROM pg_attribute WHERE attname = 'cents'"
    sql += " AND attrelid = '@t'::regclass AND EXISTS (SELECT FROM pg_attribute WHERE attname ="
    sql += " 'amt' AND attrelid = '@t'::regclass)"
    work = Work("insert", (sql,))
    with pytest.raises(DifferenceError, match="after expand: 23505 for 22012"):
        arena.judge(example(TABLE, ROWS, work={"expand": (work,)}))


def test_what_differs_is_made_small(arena: Arena) -> None:
    work = Work("insert", ("INSERT INTO @t (id, note) VALUES (50, current_database())",))
    more = Work("delete", ("DELETE FROM @t WHERE id = 1",))
    case = example(TABLE, ROWS, INDEX, work={"expand": (more,), "verify": (more, work)})
    kind = "rows after insert by the old name after verify"
    small = smaller(case, kind, arena.judge)
    assert [part.kind for part in small.parts] == ["schema", "table"]
    assert small.work == {"expand": (), "verify": (work,)}
