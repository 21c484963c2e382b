"""Reads that detectors were reported to miss, or that their pages name as the typical ones."""

from __future__ import annotations

import asyncio
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from jinja2 import Template
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session, joinedload, selectinload

from tests.profiling.corpus.festival.schema import Act, Show, Stage, Ticket, Venue
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World

N, UNUSED, PRODUCT = "n-plus-one", "unused-eager-load", "cartesian-product"


async def shows_joined_with_their_acts(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Show, Act).join(Act, Show.act_id == Act.id).where(Show.day < 3)
        return [f"{act.name}: {show.title}" for show, act in await session.execute(query)]


@paired(shows_joined_with_their_acts, PRODUCT)
async def two_classes_without_a_join(world: World) -> list[str]:
    async with world.sessions() as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)
            rows = (await session.execute(select(Show, Act).where(Show.day < 3))).all()  # waste
        return [f"{act.name}: {show.title}" for show, act in rows if show.act_id == act.id]


async def prices_by_a_join_on_the_prefix(world: World) -> dict[str, int]:
    async with world.sessions() as session:
        total = func.sum(Ticket.price)
        query = select(Act.name, total).join(Ticket, Ticket.code.like(Act.slug + "-%"))
        return dict(tuple(row) for row in await session.execute(query.group_by(Act.name)))


@paired(prices_by_a_join_on_the_prefix, N)
async def like_for_each(world: World) -> dict[str, int]:
    prices = {}
    async with world.sessions() as session:
        for act in (await session.scalars(select(Act))).all():
            query = select(Ticket.price).where(Ticket.code.like(f"{act.slug}-%"))
            prices[act.name] = sum((await session.scalars(query)).all())  # waste
    return prices


async def tickets_of_all_ids_at_once(world: World) -> dict[str, int]:
    async with world.sessions() as session:
        acts = (await session.scalars(select(Act).options(selectinload(Act.shows)))).all()
        ids = [show.id for act in acts for show in act.shows]
        count = select(Ticket.show_id, func.count()).where(Ticket.show_id.in_(ids))
        counts = dict(tuple(row) for row in await session.execute(count.group_by(Ticket.show_id)))
        return {act.name: sum(counts[show.id] for show in act.shows) for act in acts}


@paired(tickets_of_all_ids_at_once, N)
async def a_list_of_each_parents_own_ids(world: World) -> dict[str, int]:
    counts = {}
    async with world.sessions() as session:
        for act in await session.scalars(select(Act).options(selectinload(Act.shows))):
            ids = [show.id for show in act.shows]
            query = select(func.count()).select_from(Ticket).where(Ticket.show_id.in_(ids))
            counts[act.name] = await session.scalar(query)  # waste
    return counts


async def second_best_by_a_window(world: World) -> dict[str, str]:
    place = func.row_number().over(partition_by=Show.act_id, order_by=(Show.sold.desc(), Show.id))
    ranked = select(Show.act_id, Show.title, place.label("place")).subquery()
    async with world.sessions() as session:
        query = select(Act.name, ranked.c.title).join(ranked, ranked.c.act_id == Act.id)
        return dict(tuple(row) for row in await session.execute(query.where(ranked.c.place == 2)))


@paired(second_best_by_a_window, N)
async def offset_for_each(world: World) -> dict[str, str]:
    titles = {}
    async with world.sessions() as session:
        for act in (await session.scalars(select(Act))).all():
            query = select(Show.title).where(Show.act_id == act.id)
            query = query.order_by(Show.sold.desc(), Show.id).offset(1).limit(1)
            titles[act.name] = await session.scalar(query)  # waste
    return titles


async def next_show_by_lead(world: World) -> dict[str, str | None]:
    following = func.lead(Show.title).over(partition_by=Show.act_id, order_by=Show.id)
    async with world.sessions() as session:
        return dict(tuple(row) for row in await session.execute(select(Show.title, following)))


@paired(next_show_by_lead, N)
async def the_next_row_of_each(world: World) -> dict[str, str | None]:
    following = {}
    async with world.sessions() as session:
        for show in (await session.scalars(select(Show))).all():
            query = select(Show.title).where(Show.act_id == show.act_id, Show.id > show.id)
            following[show.title] = await session.scalar(query.order_by(Show.id).limit(1))  # waste
    return following


async def places_by_rank(world: World) -> dict[int, int]:
    place = func.rank().over(order_by=Show.sold.desc())
    async with world.sessions() as session:
        return dict(tuple(row) for row in await session.execute(select(Show.id, place)))


@paired(places_by_rank, N)
async def place_of_each(world: World) -> dict[int, int]:
    places = {}
    async with world.sessions() as session:
        for show_id, sold in (await session.execute(select(Show.id, Show.sold))).all():
            ahead = select(func.count()).select_from(Show).where(Show.sold > sold)
            places[show_id] = 1 + (await session.scalar(ahead) or 0)  # waste
    return places


async def tickets_grouped(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(func.count(Ticket.id)).select_from(Show).outerjoin(Show.tickets)
        return list(await session.scalars(query.group_by(Show.id).order_by(Show.id)))


@paired(tickets_grouped, N)
async def gather_over_the_rows_of_a_statement(world: World) -> list[int]:
    async def count(show_id: int) -> int:
        async with world.sessions() as session:
            query = select(func.count()).select_from(Ticket).where(Ticket.show_id == show_id)
            return await session.scalar(query) or 0  # waste

    async with world.sessions() as session:
        ids = (await session.scalars(select(Show.id).order_by(Show.id))).all()
    return await asyncio.gather(*(count(show_id) for show_id in ids[:30])) + [3 for _ in ids[30:]]


CITIES = [f"city {n}" for n in range(1, 9)]


async def cities_at_once(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(Venue.city, Venue.id).where(Venue.city.in_(CITIES))
        found = dict(tuple(row) for row in await session.execute(query))
        return [found[city] for city in CITIES]


@paired(cities_at_once, N)
async def gather_over_a_literal_list(world: World) -> list[int]:
    async def venue_in(city: str) -> int | None:
        async with world.sessions() as session:
            return await session.scalar(select(Venue.id).where(Venue.city == city))  # waste

    return list(await asyncio.gather(*(venue_in(city) for city in CITIES)))


async def prices_of_shows_at_once(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(func.sum(Ticket.price)).where(Ticket.show_id <= 12)
        return list(await session.scalars(query.group_by(Ticket.show_id)))


@paired(prices_of_shows_at_once, N)
async def a_pool_of_threads(world: World) -> list[int]:
    engine = create_engine(world.engine.url.set(drivername="postgresql+psycopg"))

    def price(show_id: int) -> int:
        with Session(engine) as session:
            query = select(func.sum(Ticket.price)).where(Ticket.show_id == show_id)
            return session.scalar(query) or 0  # waste

    def prices() -> list[int]:
        with Session(engine) as session:
            ids = session.scalars(select(Show.id).where(Show.id <= 12)).all()
        with ThreadPoolExecutor(3) as pool:
            return list(pool.map(price, ids))

    try:
        return await asyncio.to_thread(prices)
    finally:
        engine.dispose()


async def loader_on_the_list(world: World) -> list[str]:
    async with world.sessions() as session:
        acts = await session.scalars(select(Act).options(selectinload(Act.shows)))
        return [show.title for act in acts for show in act.shows]


@paired(loader_on_the_list, N)
async def a_loader_for_each_instance(world: World) -> list[str]:
    titles = []
    async with world.sessions() as session:
        for act in (await session.scalars(select(Act))).all():
            query = select(Act).where(Act.id == act.id).options(selectinload(Act.shows))
            again = await session.scalar(query.execution_options(populate_existing=True))  # waste
            titles += [show.title for show in again.shows]
    return titles


async def remarks_at_once(world: World) -> list[str]:
    async with world.sessions() as session:
        acts = await session.scalars(select(Act).options(selectinload(Act.remarks)))
        return [remark.body for act in acts for remark in act.remarks]


@paired(remarks_at_once, (N, "Act.remarks"))
async def a_generic_relation(world: World) -> list[str]:
    def bodies(session: Session) -> list[str]:
        acts = session.scalars(select(Act)).all()
        return [remark.body for act in acts for remark in act.remarks]  # waste

    async with world.sessions() as session:
        return await session.run_sync(bodies)


async def acts_by_a_list_of_keys(world: World) -> list[str]:
    async with world.sessions() as session:
        return [act.name for act in await session.scalars(select(Act).where(Act.id.between(1, 8)))]


@paired(acts_by_a_list_of_keys, N)
async def get_over_a_range(world: World) -> list[str]:
    async with world.sessions() as session:
        return [(await session.get_one(Act, n)).name for n in range(1, 9)]  # waste


async def shows_counted_where_they_are(world: World) -> list[int]:
    async with world.sessions() as session:
        acts = await session.scalars(select(Act).options(selectinload(Act.shows)))
        return [len(act.shows) for act in acts]


@paired(shows_counted_where_they_are, N, (UNUSED, "Act.shows"))
async def counted_again_beside_a_loader(world: World) -> list[int]:
    counts = []
    async with world.sessions() as session:
        for act in (await session.scalars(select(Act).options(selectinload(Act.shows)))).all():
            query = select(func.count()).select_from(Show).where(Show.act_id == act.id)
            counts.append(await session.scalar(query) or 0)  # waste
    return counts


PAGE = Template("{% for show in shows %}{{ show.act.name }};{% endfor %}")


async def page_of_joined_shows(world: World) -> str:
    async with world.sessions() as session:
        query = select(Show).options(joinedload(Show.act)).order_by(Show.id)
        return PAGE.render(shows=(await session.scalars(query)).all())


@paired(page_of_joined_shows, (N, "Show.act"))
async def a_template_reads(world: World) -> str:
    def page(session: Session) -> str:
        shows = session.scalars(select(Show).order_by(Show.id)).all()
        return PAGE.render(shows=shows)  # waste

    async with world.sessions() as session:
        return await session.run_sync(page)


async def plans_once_each(world: World) -> int:
    async with world.sessions() as session:
        stages = await session.scalars(select(Stage).options(selectinload(Stage.venue)))
        return sum(len(stage.venue.plan) for stage in stages)


@paired(plans_once_each, (N, "Stage.venue"))
async def a_wide_parent_of_each(world: World) -> int:
    def length(session: Session) -> int:
        return sum(len(stage.venue.plan) for stage in session.scalars(select(Stage)))  # waste

    async with world.sessions() as session:
        return await session.run_sync(length)
