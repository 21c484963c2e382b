"""Programs that read part by part: pages, windows, cursors, batches."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.orm import (
    selectinload,
)

from tests.profiling.corpus.cases import World, fine
from tests.profiling.corpus.outside.forum import START, Post, Topic
from tests.profiling.corpus.outside.shop import (
    Order,
    Reading,
)


@fine
async def keyset_with_a_tie_break(world: World) -> int:
    seen, last = 0, (START, 0)
    async with world.sessions() as session:
        while True:
            query = select(Topic).where(tuple_(Topic.opened, Topic.id) > last)
            page = (await session.scalars(query.order_by(Topic.opened, Topic.id).limit(100))).all()
            if not page:
                return seen
            seen += len([topic.title for topic in page])
            last = (page[-1].opened, page[-1].id)


@fine
async def keyset_by_id_in_core(world: World) -> int:
    total, last = 0, 0
    async with world.engine.connect() as connection:
        while True:
            query = select(Post.id, Post.body).where(Post.id > last).order_by(Post.id).limit(100)
            rows = (await connection.execute(query)).all()
            if not rows:
                return total
            total, last = total + len(rows), rows[-1].id


@fine
async def offset_pages(world: World) -> list[str]:
    titles: list[str] = []
    async with world.sessions() as session:
        total = await session.scalar(select(func.count()).select_from(Topic)) or 0
        for offset in range(0, total, 100):
            query = select(Topic).order_by(Topic.id).limit(100).offset(offset)
            titles += [topic.title for topic in await session.scalars(query)]
    return titles


@fine
async def pages_of_posts_with_votes(world: World) -> int:
    votes, last = 0, 0
    async with world.sessions() as session:
        while last < 200:
            query = select(Post).where(Post.id > last).order_by(Post.id).limit(60)
            posts = (await session.scalars(query.options(selectinload(Post.votes)))).all()
            votes += sum(vote.value for post in posts for vote in post.votes)
            last = posts[-1].id
    return votes


@fine
async def windows_of_time(world: World) -> list[int]:
    async with world.engine.connect() as connection:
        found = []
        for day in range(7):
            start = START + timedelta(days=day)
            query = select(func.count()).where(
                Topic.opened >= start, Topic.opened < start + timedelta(days=1)
            )
            found.append(await connection.scalar(query) or 0)
        return found


@fine
async def months_of_objects(world: World) -> dict[date, int]:
    found = {}
    async with world.sessions() as session:
        for week in range(8):
            start = date(2026, 1, 1) + timedelta(weeks=week)
            window = Order.placed.between(start, start + timedelta(days=6))
            found[start] = len(
                [o.total for o in await session.scalars(select(Order).where(window))]
            )
    return found


@fine
async def partitions_of_a_cursor(world: World) -> int:
    async with world.sessions() as session:
        stream = await session.stream(select(Reading).execution_options(yield_per=500))
        return sum([row.Reading.value async for part in stream.partitions() for row in part])


@fine
async def declared_cursor(world: World) -> int:
    seen = 0
    async with world.engine.begin() as connection:
        await connection.execute(text("DECLARE c CURSOR FOR SELECT id FROM post"))
        while rows := (await connection.execute(text("FETCH 200 FROM c"))).all():
            seen += len(rows)
    return seen


@fine
async def arrays_of_keys(world: World) -> int:
    query = text("SELECT body FROM post WHERE topic_id = ANY(:keys)")
    async with world.engine.connect() as connection:
        ids = (await connection.scalars(select(Topic.id).order_by(Topic.id).limit(60))).all()
        return sum(
            [
                len((await connection.execute(query, {"keys": [*ids[start : start + 10]]})).all())
                for start in range(0, 60, 10)
            ]
        )


@fine
async def batches_of_keys(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Topic.id).order_by(Topic.id))).all()
        total = 0
        for start in range(0, len(ids), 100):
            query = select(Post.topic_id, func.count()).group_by(Post.topic_id)
            query = query.where(Post.topic_id.in_(ids[start : start + 100]))
            total += sum(count for _, count in await session.execute(query))
        return total
