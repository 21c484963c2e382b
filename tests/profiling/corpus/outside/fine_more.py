"""More programs that look wasteful and are not: turns, locks, samples, single requests."""

from __future__ import annotations

import asyncio

from sqlalchemy import Integer, and_, column, exists, func, or_, select, text, values
from sqlalchemy.orm import Session, joinedload, selectinload

from tests.profiling.corpus.cases import World, fine
from tests.profiling.corpus.outside.forum import Post, Topic
from tests.profiling.corpus.outside.hospital import Patient
from tests.profiling.corpus.outside.shop import (
    WHALE,
    Address,
    Customer,
    Job,
    Order,
    Product,
    Stock,
)


@fine
async def one_request_of_a_page(world: World) -> list[object]:
    async with world.sessions() as session:
        query = select(Customer).where(Customer.email == "5@example.org")
        who = (await session.scalars(query)).one()
        own = select(Order).where(Order.customer_id == who.id)
        newest = await session.scalars(own.order_by(Order.number.desc()).limit(5))
        streets = await session.scalars(select(Address).where(Address.customer_id == who.id))
        count = await session.scalar(select(func.count()).where(Order.customer_id == who.id))
        return [count, *(order.total for order in newest), *(street.street for street in streets)]


@fine
async def two_keys_of_the_caller(world: World) -> str:
    async with world.sessions() as session:
        customer, other = await session.get_one(Customer, 3), await session.get_one(Customer, 9)
        return customer.name + other.name


@fine
async def few_parents_of_many_children(world: World) -> list[str]:
    async with world.sessions() as session:
        orders = (await session.scalars(select(Order).where(Order.customer_id < 3))).all()
        return [(await order.awaitable_attrs.customer).name for order in orders]


@fine
async def pages_backwards_by_a_token(world: World) -> int:
    token, seen = None, 0
    async with world.engine.connect() as connection:
        for _ in range(6):
            query = select(Post.id).order_by(Post.id.desc()).limit(50)
            ids = (await connection.scalars(query.where(Post.id < token) if token else query)).all()
            token, seen = ids[-1], seen + len(ids)
    return seen


@fine
async def pages_of_one_customer_by_two_keys(world: World) -> int:
    seen, last = 0, None
    async with world.sessions() as session:
        for _ in range(8):
            query = select(Order).where(Order.customer_id == WHALE)
            if last is not None:
                same_day = and_(Order.placed == last.placed, Order.number > last.number)
                query = query.where(or_(Order.placed > last.placed, same_day))
            query = query.order_by(Order.placed, Order.number).limit(20)
            page = (await session.scalars(query)).all()
            seen, last = seen + len([order.total for order in page]), page[-1]
    return seen


@fine
async def pages_of_each_branch(world: World) -> int:
    async with world.sessions() as session:
        seen = 0
        for branch in (0, 1, 2):
            for offset in (0, 20, 40):
                query = select(Order).where(Order.branch == branch).order_by(Order.number)
                page = await session.scalars(query.limit(20).offset(offset))
                seen += len([order.total for order in page])
        return seen


@fine
async def two_pollers(world: World) -> None:
    async def poll() -> None:
        for _ in range(3):
            async with world.engine.connect() as connection:
                await connection.scalar(select(func.count()).select_from(Job))
            await asyncio.sleep(0.02)

    await asyncio.gather(poll(), poll())


@fine
async def health_checks(world: World) -> None:
    for _ in range(5):
        async with world.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))


@fine
async def samples_and_clocks(world: World) -> list[object]:
    sample = select(Post.id).order_by(func.random()).limit(1)
    async with world.engine.connect() as connection:
        samples = [await connection.scalar(sample) for _ in range(4)]
        return samples + [await connection.scalar(select(func.clock_timestamp())) for _ in range(4)]


@fine
async def each_account_locked(world: World) -> None:
    async with world.sessions() as session:
        for sku in ("sku-1", "sku-2", "sku-3", "sku-4"):
            query = select(Stock).where(Stock.sku == sku).with_for_update()
            stock = (await session.scalars(query)).one()
            stock.amount -= 1
        await session.rollback()


@fine
async def asked_before_and_after_a_write(world: World) -> tuple[bool | None, bool | None]:
    query = select(exists().where(Stock.sku == "brand new"))
    async with world.sessions() as session:
        before = await session.scalar(query)
        session.add(Stock(sku="brand new", amount=1))
        await session.flush()
        after = await session.scalar(query)
        await session.rollback()
        return before, after


@fine
async def counted_around_a_savepoint(world: World) -> list[int | None]:
    query = select(func.count()).select_from(Stock)
    async with world.sessions() as session:
        counts = [await session.scalar(query)]
        savepoint = await session.begin_nested()
        session.add(Stock(sku="savepoint", amount=1))
        await session.flush()
        counts.append(await session.scalar(query))
        await savepoint.rollback()
        counts.append(await session.scalar(query))
        await session.rollback()
        return counts


@fine
async def keys_that_are_made_one_by_one(world: World) -> None:
    async with world.sessions() as session:
        for _ in range(8):
            job = Job(queue="loop", state="ready")
            session.add(job)
            await session.flush()
            assert job.id
        await session.rollback()


@fine
async def collection_below_a_joined_object(world: World) -> int:
    async with world.sessions() as session:
        option = joinedload(Post.topic).selectinload(Topic.posts)
        posts = await session.scalars(select(Post).limit(50).options(option))
        return sum(len(other.body) for post in posts for other in post.topic.posts)


@fine
async def collection_loaded_to_be_added_to(world: World) -> None:
    async with world.sessions() as session:
        query = select(Customer).where(Customer.id == 2).options(selectinload(Customer.addresses))
        customer = (await session.scalars(query)).one()
        customer.addresses.append(Address(street="new"))
        await session.flush()
        await session.rollback()


@fine
async def joined_with_values(world: World) -> list[str]:
    keys = values(column("key", Integer), name="wanted").data([(n,) for n in range(1, 20)])
    async with world.engine.connect() as connection:
        return list(await connection.scalars(select(Post.body).join(keys, keys.c.key == Post.id)))


@fine
async def lists_of_one_two_and_three(world: World) -> list[str]:
    async with world.sessions() as session:
        parts = [
            await session.scalars(select(Product).where(Product.id.in_(keys)))
            for keys in ([1], [1, 2, 3], [4, 5])
        ]
        return [product.sku for part in parts for product in part]


@fine
async def sqlite_pages_by_the_driver(world: World) -> int:
    query = "SELECT id FROM patient ORDER BY id LIMIT ? OFFSET ?"
    with Session(world.sqlite) as session:
        connection = session.connection()
        pages = [connection.exec_driver_sql(query, (5, n)).all() for n in range(0, 30, 5)]
        return sum(map(len, pages)) + (session.scalar(select(func.count(Patient.id))) or 0)
