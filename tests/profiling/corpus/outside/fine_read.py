"""Programs that only read, look wasteful and are not."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, literal, select, union_all
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    joinedload,
    raiseload,
    selectin_polymorphic,
    selectinload,
    subqueryload,
    undefer,
    with_polymorphic,
)

from tests.profiling.corpus.cases import FromObject, World, fine, wasteful
from tests.profiling.corpus.outside.forum import Author, Post, Topic, Vote
from tests.profiling.corpus.outside.hospital import Device, Doctor, Patient, Person, Recipe, Ward
from tests.profiling.corpus.outside.shop import (
    SMALL,
    Category,
    Customer,
    Line,
    Order,
    Page,
    Product,
    RatedProduct,
    Reading,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@fine
async def two_chunks_of_selectin(world: World) -> int:
    async with world.sessions() as session:
        topics = await session.scalars(select(Topic).options(selectinload(Topic.posts)))
        return sum(len(post.body) for topic in topics for post in topic.posts)


class Loader:
    """Collects the keys asked for in one turn of the loop and loads them at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.waiting: dict[int, asyncio.Future[Author]] = {}

    async def load(self, key: int) -> Author:
        if not self.waiting:
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(self.flush()))
        loop = asyncio.get_running_loop()
        return await self.waiting.setdefault(key, loop.create_future())

    async def flush(self) -> None:
        waiting, self.waiting = self.waiting, {}
        async with self.world.sessions() as session:
            query = select(Author).where(Author.id.in_(waiting))
            for author in await session.scalars(query):
                waiting[author.id].set_result(author)


@fine
async def loader_in_batches(world: World) -> list[str]:
    loader = Loader(world)
    async with world.sessions() as session:
        topics = (await session.scalars(select(Topic).limit(60))).all()
    found: list[str] = []
    for start in range(0, 60, 20):
        page = topics[start : start + 20]
        authors = await asyncio.gather(*(loader.load(topic.author_id) for topic in page))
        found += [author.nick for author in authors]
    return found


@fine
async def two_requests_at_once(world: World) -> list[int]:
    async def request() -> int:
        async with world.sessions() as session:
            query = select(Customer).where(Customer.id == 4)
            customer = (await session.scalars(query.options(selectinload(Customer.orders)))).one()
            return sum(order.number for order in customer.orders)

    return await asyncio.gather(request(), request())


@fine
async def requests_one_after_another(world: World) -> int:
    total = 0
    for _ in range(5):
        async with world.sessions() as session:
            query = select(func.count()).select_from(Line)
            total += await session.scalar(query) or 0
    return total


@fine
async def two_customers_of_thirty(world: World) -> int:
    async with world.sessions() as session:
        found = (await session.scalars(SMALL)).all()
        special = [c for c in found if c.name in ("name 3", "name 17")]
        return sum([len(await c.awaitable_attrs.orders) for c in special])


@fine
async def filtered_contains_eager(world: World) -> int:
    async with world.sessions() as session:
        query = select(Customer).join(Customer.orders).where(Order.number % 1000 == 2)
        query = query.options(contains_eager(Customer.orders))
        found = (await session.scalars(query.execution_options(populate_existing=True))).unique()
        return sum(order.number for customer in found for order in customer.orders)


@fine
async def joined_objects(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Line).limit(90)
        query = query.options(
            joinedload(Line.product), joinedload(Line.order).joinedload(Order.customer)
        )
        return [x.product.sku + x.order.customer.name for x in await session.scalars(query)]


@fine
async def joined_one_to_one(world: World) -> list[str]:
    async with world.sessions() as session:
        query = SMALL.options(joinedload(Customer.profile))
        return [customer.profile.motto for customer in await session.scalars(query)]


@fine
async def tree_in_one_statement(world: World) -> int:
    async with world.sessions() as session:
        top = select(Category.id, literal(0).label("depth")).where(Category.id == 1)
        tree = top.cte("tree", recursive=True)
        below = aliased(Category)
        tree = tree.union_all(
            select(below.id, tree.c.depth + 1).join(tree, below.parent_id == tree.c.id)
        )
        query = select(Category, tree.c.depth).join(tree, tree.c.id == Category.id)
        return sum(depth * len(node.name) for node, depth in await session.execute(query))


@fine
async def newest_two_by_a_window(world: World) -> dict[int, list[int]]:
    async with world.sessions() as session:
        place = func.row_number().over(partition_by=Order.customer_id, order_by=Order.number.desc())
        ranked = select(Order, place.label("place")).subquery()
        newest = aliased(Order, ranked)
        found = defaultdict(list)
        for order in await session.scalars(select(newest).where(ranked.c.place <= 2)):
            found[order.customer_id].append(order.number)
        return found


@fine
async def identity_map_answers(world: World) -> list[str]:
    async with world.sessions() as session:
        authors = (await session.scalars(select(Author))).all()
        topics = (await session.scalars(select(Topic).limit(100))).all()
        assert authors
        return [(await session.get_one(Author, topic.author_id)).nick for topic in topics]


@fine
async def cache_before_the_database(world: World) -> list[str]:
    known: dict[int, Author] = {}
    async with world.sessions() as session:

        async def author(key: int) -> Author:
            if key not in known:
                known[key] = await session.get_one(Author, key)
            return known[key]

        topics = (await session.scalars(select(Topic).where(Topic.id.in_([40, 80, 120])))).all()
        return [(await author(topic.author_id)).nick for topic in topics * 5]


class PostOut(FromObject):
    body: str


class TopicOut(FromObject):
    title: str
    posts: list[PostOut]


@fine
async def pydantic_over_loaded(world: World) -> list[TopicOut]:
    async with world.sessions() as session:
        query = select(Topic).limit(50).options(selectinload(Topic.posts))
        return [TopicOut.model_validate(topic) for topic in await session.scalars(query)]


def read_posts(topics: Sequence[Topic]) -> None:
    assert sum(len(topic.posts) for topic in topics)


@wasteful(after=read_posts)
async def handed_on(world: World) -> Sequence[Topic]:
    async with world.sessions() as session:
        query = select(Topic).limit(50).options(selectinload(Topic.posts))
        return (await session.scalars(query)).all()


@fine
async def only_asked_whether_empty(world: World) -> list[str]:
    async with world.sessions() as session:
        query = SMALL.options(selectinload(Customer.wishes), subqueryload(Customer.addresses))
        found = (await session.scalars(query)).all()
        return [c.name for c in found if c.wishes and len(c.addresses) > 2]


@fine
async def raising_options(world: World) -> list[str]:
    async with world.sessions() as session:
        query = SMALL.options(raiseload("*"))
        return [customer.name for customer in await session.scalars(query)]


@fine
async def subclasses_at_once(world: World) -> list[str]:
    async with world.sessions() as session:
        anyone = with_polymorphic(Person, [Doctor, Patient])
        people = (await session.scalars(select(anyone))).all()
        found = [p.blood if isinstance(p, Patient) else p.field for p in people]
    async with world.sessions() as session:
        query = select(Person).options(selectin_polymorphic(Person, [Doctor, Patient]))
        people = (await session.scalars(query)).all()
        return found + [p.blood if isinstance(p, Patient) else p.field for p in people]


@fine
async def concrete_with_its_maker(world: World) -> list[str]:
    async with world.sessions() as session:
        devices = await session.scalars(select(Device).options(selectinload(Device.maker)))
        return [d.maker.name for d in devices if type(d) is Device]


@fine
async def limited_to_six_thousand(world: World) -> int:
    async with world.engine.connect() as connection:
        return sum(await connection.scalars(select(Reading.value).limit(5900)))


@fine
async def widgets_of_a_dashboard(world: World) -> list[int]:
    async def number(query: Any) -> int:
        async with world.sessions() as session:
            return await session.scalar(query) or 0

    tables = (Customer, Order, Line, Product)
    return await asyncio.gather(*(number(select(func.count()).select_from(t)) for t in tables))


@fine
async def same_question_to_each_shard(world: World) -> list[int]:
    found = []
    for shard in world.shards:
        async with shard.connect() as connection:
            found.append(await connection.scalar(select(func.max(Order.number))) or 0)
    return found


@fine
async def bisection(world: World) -> int:
    low, high = 1, 1200
    async with world.engine.connect() as connection:
        while low < high:
            middle = (low + high) // 2
            query = select(Post.body).where(Post.id == middle)
            # profile: allow n-plus-one -- each probe depends on the answer to the one before
            body = await connection.scalar(query)
            low, high = (
                (middle + 1, high) if int((body or "0 0").split()[1]) < 777 else (low, middle)
            )
    return low


@fine
async def one_manual(world: World) -> str:
    async with world.sessions() as session:
        products = (await session.scalars(select(Product).order_by(Product.id))).all()
        return await products[7].awaitable_attrs.manual


@fine
async def all_columns_used(world: World) -> int:
    async with world.sessions() as session:
        products = await session.scalars(select(Product).options(undefer(Product.manual)))
        pages = await session.scalars(select(Page))
        rated = await session.scalars(select(RatedProduct))
        size = sum(len(page.slug) + len(page.html) for page in pages)
        return size + sum(len(p.manual) for p in products) + sum(r.sold for r in rated)


@fine
async def union_of_two_kinds(world: World) -> list[str]:
    async with world.engine.connect() as connection:
        names = union_all(select(Customer.name), select(Product.sku), select(Customer.email))
        return list(await connection.scalars(names))


@fine
async def sqlite_selectin(world: World) -> int:
    with Session(world.sqlite) as session:
        wards = session.scalars(select(Ward).options(selectinload(Ward.patients)))
        size = sum(len(patient.name) for ward in wards for patient in ward.patients)
        recipes = session.scalars(select(Recipe).options(selectinload(Recipe.doses)))
        return size + sum(dose.amount for recipe in recipes for dose in recipe.doses)


@fine
async def sqlite_pages(world: World) -> list[str]:
    names: list[str] = []
    with Session(world.sqlite) as session:
        for page in range(5):
            query = select(Patient).order_by(Patient.id).limit(8).offset(page * 8)
            names += [patient.name for patient in session.scalars(query)]
    return names


@fine
async def votes_asked_by_lateral(world: World) -> int:
    async with world.sessions() as session:
        sums = (
            select(func.sum(Vote.value).label("votes"))
            .where(Vote.post_id == Post.id)
            .correlate(Post)
            .lateral()
        )
        query = select(Post, sums.c.votes).join(sums, literal(True)).limit(80)
        return sum(len(post.body) + (votes or 0) for post, votes in await session.execute(query))
