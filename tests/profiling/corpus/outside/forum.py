"""A forum: many threads, posts that answer posts, authors, votes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import DateTime, ForeignKey, insert
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.profiling.numbered import Numbered


class Forum(AsyncAttrs, DeclarativeBase):
    pass


class Author(Numbered, Forum):
    nick: Mapped[str]


class Topic(Numbered, Forum):
    title: Mapped[str]
    opened: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship()
    posts: Mapped[list[Post]] = relationship(back_populates="topic")


class Post(Numbered, Forum):
    topic_id: Mapped[int] = mapped_column(ForeignKey("topic.id"))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    answers_id: Mapped[int | None] = mapped_column(ForeignKey("post.id"))
    body: Mapped[str]
    topic: Mapped[Topic] = relationship(back_populates="posts")
    author: Mapped[Author] = relationship()
    answers: Mapped[Post | None] = relationship(remote_side="Post.id")
    votes: Mapped[list[Vote]] = relationship()


class Vote(Numbered, Forum):
    post_id: Mapped[int] = mapped_column(ForeignKey("post.id"))
    value: Mapped[int]


TOPICS = 620
START = datetime(2026, 1, 1, tzinfo=UTC)


async def fill_forum(connection: AsyncConnection) -> None:
    """Store 620 topics of two posts, the later of which answers the earlier, and votes."""
    await connection.execute(insert(Author), [{"id": n, "nick": f"nick {n}"} for n in range(1, 41)])
    await connection.execute(
        insert(Topic),
        [
            {
                "id": n,
                "title": f"title {n}",
                "opened": START + timedelta(hours=n // 4),
                "author_id": n % 40 + 1,
            }
            for n in range(1, TOPICS + 1)
        ],
    )
    posts = [
        {
            "id": n,
            "topic_id": (n + 1) // 2,
            "author_id": n % 40 + 1,
            "answers_id": n - 1 if n % 2 == 0 else None,
            "body": f"body {n}",
        }
        for n in range(1, 2 * TOPICS + 1)
    ]
    await connection.execute(insert(Post), posts)
    await connection.execute(
        insert(Vote), [{"post_id": n % 400 + 1, "value": 1} for n in range(1200)]
    )
