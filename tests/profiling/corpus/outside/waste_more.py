"""Wasteful programs of the hospital and the forum, some of them on SQLite without async."""

from __future__ import annotations

import asyncio

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session, joinedload, selectinload, subqueryload

from tests.profiling.corpus.cases import N, World, wasteful
from tests.profiling.corpus.outside.forum import Author, Post, Topic, Vote
from tests.profiling.corpus.outside.hospital import (
    Device,
    Doctor,
    Event,
    Gauge,
    Patient,
    Person,
    Recipe,
    Ward,
)


@wasteful(N)
async def columns_of_the_subclass_of_each(world: World) -> list[str]:
    async with world.sessions() as session:
        people = (await session.scalars(select(Person).order_by(Person.id))).all()
        patients = [person for person in people if isinstance(person, Patient)]
        return await session.run_sync(lambda _: [patient.blood for patient in patients])


@wasteful((N, "Doctor.patients"))
async def joined_inheritance_many_to_many(world: World) -> int:
    async with world.sessions() as session:
        doctors = (await session.scalars(select(Doctor))).all()
        return sum([len(await doctor.awaitable_attrs.patients) for doctor in doctors])


@wasteful((N, "Event.patient"))
async def single_table_inheritance(world: World) -> set[str]:
    async with world.sessions() as session:
        events = (await session.scalars(select(Event).order_by(Event.id))).all()
        return await session.run_sync(lambda _: {event.patient.name for event in events})


@wasteful((N, "Device.maker"), (N, "Pump.maker"))
async def concrete_inheritance(world: World) -> list[str]:
    async with world.sessions() as session:
        devices = (await session.scalars(select(Device))).all()
        return await session.run_sync(lambda _: [device.maker.name for device in devices])


@wasteful(N)
async def write_only_collection_of_each(world: World) -> int:
    async with world.sessions() as session:
        total = 0
        for ward in (await session.scalars(select(Ward))).all():
            newest = ward.devices.select().order_by(Gauge.id.desc()).limit(3)
            total += sum(gauge.value for gauge in await session.scalars(newest))
        return total


@wasteful((N, "Recipe.doses"))
async def dataclass_models(world: World) -> int:
    async with world.sessions() as session:
        recipes = (await session.scalars(select(Recipe))).all()
        return await session.run_sync(lambda _: sum(d.amount for r in recipes for d in r.doses))


@wasteful((N, "Ward.patients"), (N, "Patient.events"))
async def loops_in_loops(world: World) -> int:
    def count(session: Session) -> int:
        wards = session.scalars(select(Ward)).all()
        return sum(len(p.events) for ward in wards for p in ward.patients)

    async with world.sessions() as session:
        return await session.run_sync(count)


@wasteful((N, "Ward.patients"))
async def sqlite_lazy_list(world: World) -> int:
    with Session(world.sqlite) as session:
        return sum(len(ward.patients) for ward in session.scalars(select(Ward)))


@wasteful((N, "Patient.ward"))
async def sqlite_get_in_a_thread(world: World) -> list[str]:
    def work() -> list[str]:
        with Session(world.sqlite) as session:
            patients = session.scalars(select(Patient)).all()
            return [session.get_one(Ward, patient.ward_id).name for patient in patients]

    return await asyncio.to_thread(work)


@wasteful(("joined-collection", "Recipe.doses"))
async def sqlite_joined_collection(world: World) -> int:
    with Session(world.sqlite) as session:
        query = select(Recipe).options(joinedload(Recipe.doses))
        return sum(len(recipe.doses) for recipe in session.scalars(query).unique())


@wasteful((N, "Post.author"))
async def author_of_each_post(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Post).where(Post.topic_id < 12)
        posts = (await session.scalars(query)).all()
        return [(await post.awaitable_attrs.author).nick for post in posts]


@wasteful((N, "Post.answers"))
async def answered_posts(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Post).where(Post.answers_id.is_not(None)).limit(30)
        posts = (await session.scalars(query)).all()
        return await session.run_sync(lambda _: [p.answers.body for p in posts if p.answers])


@wasteful(("unused-eager-load", "Post.votes"))
async def second_level_never_read(world: World) -> int:
    async with world.sessions() as session:
        query = select(Topic).where(Topic.id < 40)
        query = query.options(selectinload(Topic.posts).selectinload(Post.votes))
        topics = (await session.scalars(query)).all()
        return sum(len(post.body) for topic in topics for post in topic.posts)


@wasteful(("unused-eager-load", "Topic.posts"))
async def subquery_never_read(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Topic).where(Topic.id < 40).options(subqueryload(Topic.posts))
        return [topic.title for topic in (await session.scalars(query)).all()]


@wasteful(N)
async def an_array_of_one(world: World) -> int:
    found = 0
    async with world.engine.connect() as connection:
        for key in (await connection.scalars(select(Topic.id).limit(12))).all():
            query = text("SELECT body FROM post WHERE topic_id = ANY(:keys) AND id < :last")
            rows = await connection.execute(query, {"keys": [key], "last": 9999})
            found += len(rows.all())
    return found


@wasteful(N)
async def page_by_page_with_a_lookup_each(world: World) -> int:
    """Keyset pages are right; the vote sum of each post on them is not."""
    after, total = 0, 0
    async with world.sessions() as session:
        while after < 60:
            query = select(Post).where(Post.id > after).order_by(Post.id).limit(20)
            page = (await session.scalars(query)).all()
            for post in page:
                votes = await session.scalars(select(Vote).where(Vote.post_id == post.id))
                total += sum(vote.value for vote in votes)
            after = page[-1].id
    return total


@wasteful((N, "Topic.author"))
async def gather_in_slices(world: World) -> int:
    async with world.sessions() as session:
        topics = (await session.scalars(select(Topic).limit(18))).all()

    async def nick(topic: Topic) -> str:
        async with world.sessions() as own:
            return (await own.get_one(Author, topic.author_id)).nick

    found: list[str] = []
    for start in range(0, len(topics), 6):
        found += await asyncio.gather(*(nick(t) for t in topics[start : start + 6]))
    return len(found)


@wasteful(N)
async def transaction_for_each(world: World) -> int:
    async with world.sessions() as session:
        keys = (await session.scalars(select(Author.id).limit(10))).all()
    found = 0
    for key in keys:
        async with world.sessions.begin() as session:
            query = select(Topic).where(Topic.author_id == key).limit(3)
            found += len([topic.title for topic in await session.scalars(query)])
    return found


@wasteful(N)
async def workers_at_a_queue(world: World) -> int:
    waiting: asyncio.Queue[int] = asyncio.Queue()
    async with world.sessions() as session:
        for key in await session.scalars(select(Topic.id).limit(20)):
            waiting.put_nowait(key)

    async def work() -> int:
        found = 0
        while not waiting.empty():
            query = select(func.count()).where(Post.topic_id == waiting.get_nowait())
            async with world.sessions() as session:
                found += await session.scalar(query) or 0
        return found

    return sum(await asyncio.gather(*(work() for _ in range(4))))


@wasteful("over-fetch")
async def a_whole_list_for_the_first(world: World) -> str:
    async with world.sessions() as session:
        return (await session.scalars(select(Topic).order_by(Topic.opened))).all()[0].title


@wasteful(("unused-eager-load", "Post.topic"))
async def one_of_two_joined_objects_never_read(world: World) -> list[str]:
    async with world.sessions() as session:
        both = joinedload(Post.topic), joinedload(Post.author)
        posts = await session.scalars(select(Post).limit(40).options(*both))
        return [post.author.nick for post in posts]


@wasteful(N)
async def sqlite_by_the_driver(world: World) -> list[object]:
    query = "SELECT count(*) FROM patient WHERE ward_id = ?"
    with world.sqlite.connect() as connection:
        keys = connection.exec_driver_sql("SELECT id FROM ward").all()
        return [connection.exec_driver_sql(query, tuple(key)).scalar() for key in keys]
