"""Programs of the shop that load too much, or load it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import (
    aliased,
    joinedload,
    selectinload,
)

from tests.profiling.corpus.cases import CHUNKSIZE, World, wasteful
from tests.profiling.corpus.outside.shop import (
    SMALL,
    WHALE,
    Customer,
    Job,
    Line,
    Order,
    Page,
    Reading,
    Step,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


@wasteful(("cartesian-product", "Customer.orders"))
async def two_siblings_joined(world: World) -> int:
    async with world.sessions() as session:
        both = joinedload(Customer.orders), joinedload(Customer.addresses)
        found = (await session.scalars(SMALL.options(*both))).unique().all()
        return sum(len(c.orders) + len(c.addresses) for c in found)


@wasteful(("joined-collection", "Customer.orders"))
async def collection_joined(world: World) -> int:
    async with world.sessions() as session:
        query = SMALL.options(joinedload(Customer.orders))
        return sum(len(c.orders) for c in (await session.scalars(query)).unique())


@wasteful(("joined-collection", "Customer.orders"))
async def collections_joined_in_a_chain(world: World) -> int:
    async with world.sessions() as session:
        query = SMALL.options(joinedload(Customer.orders).joinedload(Order.lines))
        found = (await session.scalars(query)).unique().all()
        return sum(len(o.lines) for c in found for o in c.orders)


@wasteful(("unused-eager-load", "Customer.addresses"))
async def selectin_never_read(world: World) -> list[str]:
    async with world.sessions() as session:
        query = SMALL.options(selectinload(Customer.addresses))
        return [customer.name for customer in (await session.scalars(query)).all()]


@wasteful(("unused-eager-load", "Order.customer"))
async def joined_object_never_read(world: World) -> object:
    async with world.sessions() as session:
        query = select(Order).limit(60).options(joinedload(Order.customer))
        return sum(order.total for order in (await session.scalars(query)).all())


@wasteful("duplicate-statement")
async def same_aggregate_again(world: World) -> float:
    async def total(session: AsyncSession) -> int:
        return await session.scalar(select(func.sum(Order.total))) or 0

    async with world.sessions() as session:
        return float(await total(session)) / float(await total(session))


@wasteful("duplicate-statement")
async def current_user_by_email(world: World) -> list[str]:
    async def current(session: AsyncSession) -> Customer:
        query = select(Customer).where(Customer.email == "3@example.org")
        return (await session.scalars(query)).one()

    async with world.sessions() as session:
        return [(await current(session)).name, (await current(session)).email]


@wasteful(("over-fetch", "Customer.orders"))
async def ten_of_two_hundred(world: World) -> list[object]:
    async with world.sessions() as session:
        query = select(Customer).where(Customer.id == WHALE)
        query = query.options(selectinload(Customer.orders))
        whale = (await session.scalars(query)).one()
        return [order.total for order in whale.orders[:10]]


@wasteful("over-fetch")
async def wide_column_never_read(world: World) -> list[str]:
    async with world.sessions() as session:
        return [page.slug for page in await session.scalars(select(Page))]


@wasteful(("chunked-n-plus-one", "Customer.orders"), available=CHUNKSIZE)
async def two_parents_a_chunk(world: World) -> int:
    async with world.sessions() as session:
        query = SMALL.options(selectinload(Customer.orders, chunksize=2))
        return sum(len(c.orders) for c in await session.scalars(query))


@wasteful(("chunked-n-plus-one", "Order.lines"))
async def tiny_yields(world: World) -> int:
    total = 0
    async with world.sessions() as session:
        query = select(Order).limit(120).options(selectinload(Order.lines))
        async for order in await session.stream_scalars(query.execution_options(yield_per=4)):
            total += len(order.lines)
    return total


@wasteful(("hidden-load", "Job.steps"))
async def delete_with_a_cascade(world: World) -> None:
    async with world.sessions() as session:
        jobs = [Job(queue="gone", steps=[Step(name="a")]) for _ in range(12)]
        session.add_all(jobs)
        await session.commit()
    async with world.sessions() as session:
        query = select(Job).where(Job.queue == "gone")
        for job in (await session.scalars(query)).all():
            await session.delete(job)
        await session.commit()


@wasteful("missing-limit")
async def six_thousand_rows(world: World) -> int:
    async with world.engine.connect() as connection:
        return sum(await connection.scalars(select(Reading.value)))


@wasteful("server-side-n-plus-one", explain=True)
async def subquery_for_each_row(world: World) -> int:
    async with world.engine.connect() as connection:
        other = aliased(Line)
        sold = (
            select(func.count(other.id))
            .where(other.product_id == Line.product_id)
            .correlate(Line)
            .scalar_subquery()
        )
        rows = await connection.execute(select(Line.id, sold))
        return sum(row[1] for row in rows)


@wasteful("missing-index", explain=True)
async def one_of_many_by_a_column_without_index(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(Reading).where(Reading.value == 17)
        return [reading.id for reading in await session.scalars(query)]


@wasteful(explain=True)
async def one_of_many_by_its_key(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(Reading).where(Reading.id == 17, Reading.value > -1)
        return [reading.id for reading in await session.scalars(query)]


@wasteful(explain=True)
async def most_of_many(world: World) -> int:
    async with world.sessions() as session:
        return await session.scalar(select(func.count()).where(Reading.value > 9)) or 0
