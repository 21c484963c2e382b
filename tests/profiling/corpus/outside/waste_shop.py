"""Wasteful programs of the shop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, text, union_all
from sqlalchemy.orm import (
    aliased,
    immediateload,
    selectinload,
    undefer,
    with_loader_criteria,
)

from tests.profiling.corpus.cases import FromObject, N, World, wasteful
from tests.profiling.corpus.outside.shop import (
    SMALL,
    WHALE,
    Category,
    Customer,
    Line,
    Order,
    Product,
    Wish,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


@wasteful((N, "Customer.orders"))
async def lazy_list(world: World) -> int:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
        return await session.run_sync(lambda _: sum(len(c.orders) for c in found))


@wasteful((N, "Order.lines"))
async def composite_key_awaitable(world: World) -> int:
    async with world.sessions() as session:
        orders = await session.scalars(select(Order).order_by(Order.number).limit(25))
        return sum([len(await order.awaitable_attrs.lines) for order in orders])


@wasteful((N, "Line.product"))
async def chain_of_two(world: World) -> set[str]:
    async with world.sessions() as session:
        query = select(Order).where(Order.customer_id < 6).options(selectinload(Order.lines))
        orders = (await session.scalars(query)).all()
        return await session.run_sync(
            lambda _: {line.product.sku for order in orders for line in order.lines}
        )


@wasteful((N, "Customer.wishes"), (N, "Wish.product"))
async def association_proxy_list(world: World) -> list[str]:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
        return await session.run_sync(lambda _: [p.sku for c in found for p in c.wished])


class OrderOut(FromObject):
    number: int


class CustomerOut(FromObject):
    name: str
    orders: list[OrderOut]


@wasteful((N, "Customer.orders"))
async def pydantic_serialises(world: World) -> list[CustomerOut]:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL.limit(20))).all()
        return await session.run_sync(lambda _: [CustomerOut.model_validate(c) for c in found])


@wasteful((N, "Order.customer"))
async def customer_of_each_order_by_get(world: World) -> list[str]:
    names = []
    async with world.sessions() as session:
        query = select(Order).where(Order.customer_id < 20, Order.number % 1000 == 3)
        for order in (await session.scalars(query)).all():
            customer = await session.get_one(Customer, order.customer_id)
            names.append(customer.name)
    return names


@wasteful(N)
async def count_for_each(world: World) -> dict[str, int]:
    async with world.sessions() as session:

        async def orders_of(customer: Customer) -> int:
            query = select(func.count()).where(Order.customer_id == customer.id)
            return await session.scalar(query) or 0

        return {c.name: await orders_of(c) for c in (await session.scalars(SMALL)).all()}


@wasteful(N)
async def text_for_each(world: World) -> int:
    total = 0
    async with world.engine.connect() as connection:
        rows = await connection.execute(text("SELECT id FROM customer WHERE id < 16"))
        for row in rows.all():
            found = await connection.execute(
                text("SELECT street FROM address WHERE customer_id = :customer"),
                {"customer": row.id},
            )
            total += len(found.all())
    return total


@wasteful(N)
async def session_for_each_in_a_group(world: World) -> list[int]:
    async def lines_of(branch: int, number: int) -> int:
        async with world.sessions() as own:
            query = select(Line).where(Line.branch == branch, Line.number == number)
            return len((await own.scalars(query)).all())

    async with world.sessions() as session:
        keys = (await session.execute(select(Order.branch, Order.number).limit(12))).all()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(lines_of(branch, number)) for branch, number in keys]
    return [task.result() for task in tasks]


@wasteful(N)
async def loader_that_never_batches(world: World) -> list[str]:
    async with world.sessions() as session:

        async def load(keys: list[int]) -> list[Product]:
            return list(await session.scalars(select(Product).where(Product.id.in_(keys))))

        lines = (await session.scalars(select(Line).order_by(Line.id).limit(30))).all()
        return [(await load([line.product_id]))[0].sku for line in lines]


@wasteful((N, "Customer.orders"))
async def hybrid_over_a_collection(world: World) -> list[object]:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
        return await session.run_sync(lambda _: sorted(c.spent for c in found))


@wasteful((N, "Category.children"))
async def walk_down_a_tree(world: World) -> int:
    def walk(category: Category) -> int:
        return 1 + sum(walk(child) for child in category.children)

    async with world.sessions() as session:
        root = await session.get_one(Category, 1)
        return await session.run_sync(lambda _: walk(root))


@wasteful((N, "Order.customer"))
async def refresh_the_attribute_of_each(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Order).where(Order.number % 1000 == 5, Order.customer_id != WHALE)
        orders = (await session.scalars(query)).all()
        for order in orders:
            await session.refresh(order, ["customer"])
        return [order.customer.name for order in orders]


@wasteful(N)
async def read_after_commit_expired_all(world: World) -> list[str]:
    async with world.sessions(expire_on_commit=True) as session:
        found = (await session.scalars(SMALL)).all()
        await session.commit()
        return await session.run_sync(lambda _: [c.name for c in found])


@wasteful(N)
async def merge_each_detached(world: World) -> int:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
    async with world.sessions() as session:
        return len([await session.merge(customer) for customer in found])


@wasteful(N)
async def deferred_column_of_each(world: World) -> list[str]:
    async with world.sessions() as session:
        some = (await session.scalars(select(Product).limit(20))).all()
        return await session.run_sync(lambda _: [p.sku + p.manual for p in some])


@wasteful((N, "Product.tags"))
async def tags_of_each_product(world: World) -> list[list[str]]:
    async with world.sessions() as session:
        query = select(Product).options(undefer(Product.manual))
        products = (await session.scalars(query)).all()
        assert all(p.manual for p in products)
        return await session.run_sync(lambda _: [[t.word for t in p.tags] for p in products])


@wasteful((N, "Customer.profile"))
async def one_to_one(world: World) -> list[str]:
    async with world.sessions() as session:
        return [
            (await customer.awaitable_attrs.profile).motto
            for customer in (await session.scalars(SMALL)).all()
        ]


@wasteful((N, "Customer.addresses"))
async def immediate(world: World) -> int:
    async with world.sessions() as session:
        query = SMALL.options(immediateload(Customer.addresses))
        return sum(len(c.addresses) for c in await session.scalars(query))


@wasteful(N)
async def dynamic_collection(world: World) -> list[int]:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
        return await session.run_sync(
            lambda _: [c.history.filter(Order.total > 5).count() for c in found]
        )


@wasteful(N)
async def exists_for_each(world: World) -> list[int]:
    async with world.sessions() as session:
        return [
            product.id
            for product in (await session.execute(select(Product.id, Product.sku))).all()
            if await session.scalar(select(exists().where(Wish.product_id == product.id)))
        ]


@wasteful((N, "Line.product"))
async def two_places_one_lookup(world: World) -> list[str]:
    async def first(session: AsyncSession, line: Line) -> str:
        return (await session.get_one(Product, line.product_id)).sku

    async def other(session: AsyncSession, line: Line) -> str:
        product = await session.get_one(Product, line.product_id)
        return product.sku.upper()

    async with world.sessions() as session:
        lines = (await session.scalars(select(Line).order_by(Line.id).limit(24))).all()
        return [await (first if n % 2 else other)(session, x) for n, x in enumerate(lines)]


@wasteful(N)
async def lookup_in_a_savepoint(world: World) -> int:
    seen = 0
    async with world.sessions() as session:
        for order in (await session.scalars(select(Order).limit(15))).all():
            async with session.begin_nested():
                query = select(Line).where(Line.branch == order.branch, Line.number == order.number)
                seen += len((await session.scalars(query)).all())
    return seen


@wasteful(N)
async def lookup_by_natural_key(world: World) -> list[object]:
    async with world.engine.connect() as connection:
        skus = (await connection.scalars(text("SELECT sku FROM stock ORDER BY sku"))).all()
        table = Product.__table__
        return [
            (await connection.execute(select(table.c.price).where(table.c.sku == sku))).scalar()
            for sku in skus
        ]


@wasteful(N)
async def second_session_beside_a_stream(world: World) -> int:
    total = 0
    async with world.sessions() as outer, world.sessions() as inner:
        async for order in await outer.stream_scalars(select(Order).limit(20)):
            query = select(Customer).where(Customer.id == order.customer_id)
            total += len((await inner.scalars(query)).one().name)
            inner.expunge_all()
    return total


@wasteful((N, "Order.customer"))
async def objects_of_a_union(world: World) -> set[str]:
    async with world.sessions() as session:
        both = union_all(
            select(Order).where(Order.number % 1000 == 1, Order.customer_id < 12),
            select(Order).where(Order.number % 1000 == 2, Order.customer_id < 12),
        )
        orders = (await session.scalars(select(Order).from_statement(both))).all()
        return await session.run_sync(lambda _: {o.customer.name for o in orders})


@wasteful((N, "Order.lines"))
async def aliased_with_criteria(world: World) -> int:
    async with world.sessions() as session:
        late = aliased(Order)
        query = select(late).where(late.customer_id < 4)
        big = with_loader_criteria(Line, Line.quantity > 1)
        orders = (await session.scalars(query.options(big))).all()
        return await session.run_sync(lambda _: sum(len(o.lines) for o in orders))


@wasteful((N, "Customer.addresses"))
async def background_task(world: World) -> int:
    async def work() -> int:
        async with world.sessions() as session:
            customers = (await session.scalars(SMALL.limit(9))).all()
            return sum([len(await c.awaitable_attrs.addresses) for c in customers])

    return await asyncio.create_task(work())
