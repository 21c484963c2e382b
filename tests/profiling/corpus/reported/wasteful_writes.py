"""Writes for each row that detectors were reported to miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from tests.profiling.corpus.cases import N
from tests.profiling.corpus.reported.pairs import reported
from tests.profiling.corpus.reported.tracker import Comment, Member, Task

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def ranks_by_a_list(session: Session) -> int:
    tasks = session.execute(select(Task.id, Task.rank)).all()
    session.execute(update(Task), [{"id": task.id, "rank": task.rank * 10} for task in tasks])
    return session.scalar(select(func.sum(Task.rank))) or 0


@reported(ranks_by_a_list, N)
def update_of_each_row(session: Session) -> int:
    for task in session.execute(select(Task.id, Task.rank)).all():
        session.execute(update(Task).where(Task.id == task.id).values(rank=task.rank * 10))  # waste
    return session.scalar(select(func.sum(Task.rank))) or 0


def inserts_by_a_list(session: Session) -> int:
    rows = [{"body": f"new {n}", "task_id": 1, "author_id": 1} for n in range(20)]
    session.execute(insert(Comment), rows)
    return session.scalar(select(func.count(Comment.id))) or 0


@reported(inserts_by_a_list, N)
def insert_of_each_row(session: Session) -> int:
    for n in range(20):
        row = {"body": f"new {n}", "task_id": 1, "author_id": 1}
        session.execute(insert(Comment).values(row))  # waste
    return session.scalar(select(func.count(Comment.id))) or 0


def delete_by_ids(session: Session) -> int:
    ids = session.scalars(select(Comment.id).where(Comment.task_id <= 10)).all()
    session.execute(delete(Comment).where(Comment.id.in_(ids)))
    return session.scalar(select(func.count(Comment.id))) or 0


@reported(delete_by_ids, N)
def delete_of_each_row(session: Session) -> int:
    for number in session.scalars(select(Comment.id).where(Comment.task_id <= 10)).all():
        session.execute(delete(Comment).where(Comment.id == number))  # waste
    return session.scalar(select(func.count(Comment.id))) or 0


def one_flush(session: Session) -> int:
    session.add_all(Member(name=f"new {n}", team_id=1) for n in range(20))
    session.flush()
    return session.scalar(select(func.count(Member.id))) or 0


@reported(one_flush, N)
def flush_of_each_object(session: Session) -> int:
    for n in range(20):
        session.add(Member(name=f"new {n}", team_id=1))
        session.flush()  # waste
    return session.scalar(select(func.count(Member.id))) or 0
