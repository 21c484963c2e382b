"""Locks and writes for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql

from tests.profiling.corpus.cases import N
from tests.profiling.corpus.festival.schema import Act, Show, Subscriber, Ticket
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World


async def locked_at_once(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Show.id).where(Show.day == 3))).all()
        query = select(Show).where(Show.id.in_(ids)).order_by(Show.id).with_for_update()
        return sum(show.sold for show in await session.scalars(query))


@paired(locked_at_once, N)
async def for_update_of_each(world: World) -> int:
    sold = 0
    async with world.sessions() as session:
        for show_id in (await session.scalars(select(Show.id).where(Show.day == 3))).all():
            query = select(Show).where(Show.id == show_id).with_for_update()
            sold += (await session.scalars(query)).one().sold  # waste
    return sold


async def acts_locked_at_once(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Act).order_by(Act.id).with_for_update()
        return [act.name for act in await session.scalars(query)]


@paired(acts_locked_at_once, N)
async def get_with_a_lock(world: World) -> list[str]:
    names = []
    async with world.sessions() as session:
        for act_id in (await session.scalars(select(Act.id).order_by(Act.id))).all():
            act = await session.get_one(Act, act_id, with_for_update=True)  # waste
            names.append(act.name)
    return names


async def tickets_in_one_flush(world: World) -> int:
    async with world.sessions() as session:
        shows = (await session.scalars(select(Show).where(Show.day < 2))).all()
        session.add_all(Ticket(code="new", price=9, show=show) for show in shows)
        await session.flush()
        return len(shows)


@paired(tickets_in_one_flush, N)
async def flushed_for_each(world: World) -> int:
    async with world.sessions() as session:
        shows = (await session.scalars(select(Show).where(Show.day < 2))).all()
        for show in shows:
            session.add(Ticket(code="new", price=9, show=show))
            await session.flush()  # waste
        return len(shows)


EMAILS = [f"{n}@example.org" for n in range(9)]


async def subscribed_at_once(world: World) -> int:
    async with world.sessions() as session:
        values = [{"email": email} for email in EMAILS]
        await session.execute(postgresql.insert(Subscriber).values(values).on_conflict_do_nothing())
        return len(EMAILS)


@paired(subscribed_at_once, N)
async def upsert_of_each(world: World) -> int:
    async with world.sessions() as session:
        for email in EMAILS:
            statement = postgresql.insert(Subscriber).values(email=email).on_conflict_do_nothing()
            await session.execute(statement)  # waste
        return len(EMAILS)


async def sold_by_a_list(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Show.id).where(Show.day == 5))).all()
        await session.execute(update(Show).where(Show.id.in_(ids)).values(sold=Show.sold + 1))
        return len(ids)


@paired(sold_by_a_list, N)
async def counter_of_each(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Show.id).where(Show.day == 5))).all()
        for show_id in ids:
            statement = update(Show).where(Show.id == show_id).values(sold=Show.sold + 1)
            await session.execute(statement)  # waste
        return len(ids)
