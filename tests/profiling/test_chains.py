"""Objects that lead to objects of their own class: from one, a chain; from several, levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    mapped_column,
    relationship,
    selectinload,
)

from invoicing.toolkit.profiling import record_queries
from tests.profiling.numbered import Numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Select

    from invoicing.toolkit.profiling import Recorder

LEVELS = 12


class Base(DeclarativeBase):
    pass


class Node(Numbered, Base):
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    parent: Mapped[Node | None] = relationship(remote_side="Node.id", back_populates="below")
    below: Mapped[list[Node]] = relationship(back_populates="parent")


@pytest.fixture
def session() -> Iterator[Session]:
    """Yield a session on three chains of nodes: 1 to 12 of the first, 13 to 24 of the second..."""
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        numbers = range(3 * LEVELS)
        rows = [Node(id=n + 1, parent_id=n if n % LEVELS else None) for n in numbers]
        session.add_all(rows)
        session.commit()
        session.expunge_all()
        yield session
    engine.dispose()


def walked(session: Session, query: Select[tuple[Node]]) -> tuple[int, Recorder]:
    """Return how many steps up there are from the nodes, and what they took."""
    steps = 0
    with record_queries() as recorder:
        for node in session.scalars(query).all():
            above = node.parent
            while above is not None:
                steps, above = steps + 1, above.parent
    return steps, recorder


LAST = select(Node).where(Node.id == LEVELS)
ENDS = select(Node).where(Node.id % LEVELS == 0)
UP = selectinload(Node.parent, recursion_depth=-1)


def test_a_chain_is_read_at_once_by_a_recursive_query_and_by_no_loader(session: Session) -> None:
    steps, recorder = walked(session, LAST)
    (finding,) = recorder.findings
    assert finding.slug == "n-plus-one"
    assert finding.fixes == ()
    assert "recursive CTE" in finding.fix
    session.expunge_all()
    # A loader sends as many: what the advice says.
    again, loaded = walked(session, LAST.options(UP))
    assert (again, len(loaded)) == (steps, len(recorder))
    assert loaded.findings == []
    session.expunge_all()
    up = select(Node.id, Node.parent_id).where(Node.id == LEVELS).cte(recursive=True)
    above = aliased(Node)
    up = up.union_all(select(above.id, above.parent_id).join(up, above.id == up.c.parent_id))
    with record_queries() as recorder:
        chain = list(session.scalars(select(Node).join(up, up.c.id == Node.id)))
        # What the session has is not asked for again.
        assert sum(node.parent is not None for node in chain) == steps
    assert len(recorder) == 1
    assert recorder.findings == []


def test_several_chains_go_up_level_by_level(session: Session) -> None:
    steps, recorder = walked(session, ENDS)
    (finding,) = recorder.findings
    assert finding.slug == "n-plus-one"
    (fix,) = finding.fixes
    assert str(fix) == "selectinload(Node.parent, recursion_depth=-1)"
    session.expunge_all()
    again, loaded = walked(session, fix.applied_to(ENDS))
    assert again == steps == 3 * (LEVELS - 1)
    assert len(loaded) == LEVELS
    assert loaded.findings == []


def test_a_tree_without_branches_goes_down_level_by_level(session: Session) -> None:
    down = selectinload(Node.below, recursion_depth=-1)
    with record_queries() as recorder:
        levels = session.scalars(select(Node).where(Node.id == 1).options(down)).all()
        depth = 0
        while levels:
            levels, depth = [node for above in levels for node in above.below], depth + 1
    assert depth == LEVELS
    assert len(recorder) == LEVELS + 1
    assert recorder.findings == []


def test_parts_of_a_stream_are_no_chain(session: Session) -> None:
    query = select(Node).options(selectinload(Node.parent)).execution_options(yield_per=1)
    with record_queries() as recorder:
        for node in session.scalars(query):
            assert (node.parent is None) == (node.parent_id is None)
    assert [finding.slug for finding in recorder.findings] == ["chunked-n-plus-one"]
