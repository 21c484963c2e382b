"""Programs that look like the wasteful ones of this batch, and are not."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, func, select, true
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload

from tests.profiling.corpus.cases import fine
from tests.profiling.corpus.festival.schema import Act, Show, Stage, Subscriber, Ticket

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World


@fine
async def every_act_on_every_stage(world: World) -> int:
    async with world.sessions() as session:
        query = select(Act, Stage).join(Stage, true()).where(Stage.id < 4)
        return len({(act.name, stage.name) for act, stage in await session.execute(query)})


@fine
async def lists_that_are_parts_of_one(world: World) -> int:
    async with world.sessions() as session:
        acts = (await session.scalars(select(Act).options(selectinload(Act.shows)))).all()
        ids = [show.id for act in acts for show in act.shows]
        total = 0
        for start in range(0, len(ids), 12):
            batch = ids[start : start + 12]
            query = select(func.count()).select_from(Ticket).where(Ticket.show_id.in_(batch))
            total += await session.scalar(query) or 0
        return total


@fine
async def pages_after_the_first(world: World) -> list[str]:
    async with world.sessions() as session:
        shows = (await session.scalars(select(Show).order_by(Show.id).limit(10))).all()
        titles = [show.title for show in shows]
        while shows:
            page = select(Show).where(Show.id > shows[-1].id).order_by(Show.id).limit(10)
            shows = (await session.scalars(page)).all()
            titles += [show.title for show in shows]
        return titles


@fine
async def typed_into_a_search_box(world: World) -> list[int]:
    async with world.sessions() as session:
        found = []
        for typed in ("a", "a0", "a01", "a01-"):
            query = select(func.count()).select_from(Ticket).where(Ticket.code.like(f"{typed}%"))
            found.append(await session.scalar(query) or 0)
        return found


@fine
async def keys_of_flushed_parents(world: World) -> list[int]:
    async with world.sessions() as session:
        keys = []
        for n in range(12):
            ticket = Ticket(code=f"new {n}", price=1, show_id=1)
            session.add(ticket)
            await session.flush()
            keys.append(ticket.id)
        await session.rollback()
        return [key - keys[0] for key in keys]


@fine
async def flushed_until_it_fails(world: World) -> int:
    skipped = 0
    async with world.sessions() as session:
        for n in range(15):
            try:
                async with session.begin_nested():
                    session.add(Subscriber(email=f"{n % 11}@example.com"))
                    await session.flush()
            except IntegrityError:
                skipped += 1
        await session.rollback()
    return skipped


@fine
async def numbered_requests_side_by_side(world: World) -> list[str | None]:
    async def request(number: int) -> str | None:
        async with world.sessions() as session:
            return await session.scalar(select(Act.name).where(Act.id == number))

    return list(await asyncio.gather(*(request(number) for number in range(1, 7))))


@fine
async def requests_of_users_with_pages_of_their_own(world: World) -> list[int]:
    async def page(name: str) -> int:
        async with world.sessions() as session:
            act = (await session.scalars(select(Act).where(Act.name == name))).one()
            shows = await session.scalars(select(Show).where(Show.act_id == act.id))
            return sum(show.sold for show in shows)

    return list(await asyncio.gather(*(page(name) for name in ("act 1", "act 2", "act 3"))))


@fine
async def one_question_of_several_kinds_side_by_side(world: World) -> list[int]:
    async def number(model: type[Act | Show | Ticket]) -> int:
        async with world.sessions() as session:
            return await session.scalar(select(func.count()).select_from(model)) or 0

    return list(await asyncio.gather(*map(number, (Act, Show, Ticket))))


@fine
async def pages_in_a_pool_of_threads(world: World) -> int:
    engine = create_engine(world.engine.url.set(drivername="postgresql+psycopg"))

    def page(offset: int) -> int:
        with Session(engine) as session:
            shows = session.scalars(select(Show).order_by(Show.id).offset(offset).limit(12))
            return sum(show.sold for show in shows)

    def pages() -> int:
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(page, range(0, 48, 12)))

    try:
        return await asyncio.to_thread(pages)
    finally:
        engine.dispose()


@fine
async def two_locked_in_order(world: World) -> list[int]:
    async with world.sessions() as session:
        sold = []
        for show_id in sorted((31, 7, 19)):
            query = select(Show).where(Show.id == show_id).with_for_update()
            sold.append((await session.scalars(query)).one().sold)
        return sold


@fine
async def got_one_by_one_where_each_is_another_question(world: World) -> list[str]:
    async with world.sessions() as session:
        first = await session.get_one(Act, 1)
        second = await session.get_one(Act, 2)
        third = await session.get_one(Act, 3)
        return [first.name, second.name, third.name]
