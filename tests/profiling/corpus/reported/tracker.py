"""A tracker: three keys to one class, a tree, sub-classes, nullable assignees, a wide column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, deferred, mapped_column, relationship

from tests.profiling.numbered import Numbered, association

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Tracker(DeclarativeBase):
    pass


labelled = association(Tracker, "labelled", "task", "label")


class Team(Numbered, Tracker):
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"))
    parent: Mapped[Team | None] = relationship(remote_side="Team.id")


class Member(Numbered, Tracker):
    name: Mapped[str]
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    team: Mapped[Team] = relationship()


class Label(Numbered, Tracker):
    word: Mapped[str]


class Project(Numbered, Tracker):
    title: Mapped[str]
    brief: Mapped[str] = deferred(mapped_column(Text))
    lead_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    reviewer_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    backup_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    lead: Mapped[Member] = relationship(foreign_keys=lead_id)
    reviewer: Mapped[Member] = relationship(foreign_keys=reviewer_id)
    backup: Mapped[Member] = relationship(foreign_keys=backup_id)
    tasks: Mapped[list[Task]] = relationship(back_populates="project")


class Task(Numbered, Tracker):
    title: Mapped[str]
    done: Mapped[bool]
    rank: Mapped[int]
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("member.id"))
    project: Mapped[Project] = relationship(back_populates="tasks")
    assignee: Mapped[Member | None] = relationship()
    comments: Mapped[list[Comment]] = relationship(back_populates="task")
    labels: Mapped[list[Label]] = relationship(secondary=labelled)

    @property
    def words(self) -> str:
        return ", ".join(label.word for label in self.labels)


class Comment(Numbered, Tracker):
    body: Mapped[str]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    task: Mapped[Task] = relationship(back_populates="comments")
    author: Mapped[Member] = relationship()


class Attachment(Numbered, Tracker):
    kind: Mapped[str]
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "attachment"}


class Document(Attachment):
    __tablename__ = "document"
    id: Mapped[int] = mapped_column(ForeignKey("attachment.id"), primary_key=True)
    reader_id: Mapped[int] = mapped_column(ForeignKey("member.id"))
    reader: Mapped[Member] = relationship()
    __mapper_args__ = {"polymorphic_identity": "document"}


class FromObject(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class MemberSchema(FromObject):
    name: str


class CommentSchema(FromObject):
    body: str
    author: MemberSchema


def fill_tracker(connection: Connection) -> None:
    """Store 12 projects of 5 tasks of 2 comments; every second task has an assignee."""
    with Session(connection) as session:
        session.add_all(Team(id=n, name=f"team {n}", parent_id=n // 2 or None) for n in range(1, 9))
        session.add_all(Member(id=n, name=f"m{n}", team_id=n % 8 + 1) for n in range(1, 41))
        labels = [Label(id=n, word=f"label {n}") for n in range(1, 13)]
        session.add_all(labels)
        session.add_all(
            Project(id=n, title=f"p{n}", brief="b", lead_id=n, reviewer_id=n + 12, backup_id=n + 24)
            for n in range(1, 13)
        )
        for n in range(1, 61):
            task = Task(id=n, title=f"t{n}", done=n % 3 == 0, rank=n, project_id=n % 12 + 1)
            task.assignee_id = n % 40 + 1 if n % 2 else None
            task.labels = [labels[n % 12], labels[(n + 1) % 12]]
            task.comments = [Comment(body=f"c{n}.{k}", author_id=(n + k) % 40 + 1) for k in (0, 1)]
            session.add(task)
        session.add_all(Document(task_id=n, reader_id=n) for n in range(1, 21))
        session.add_all(Attachment(kind="attachment", task_id=n) for n in range(1, 11))
        session.commit()
