"""Programs that load as they should, or with good reason otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defer,
    joinedload,
    lazyload,
    raiseload,
    selectinload,
    subqueryload,
    undefer,
)

from tests.profiling.corpus.cases import CHUNKSIZE, Place, fine, wasteful
from tests.profiling.corpus.schema import (
    MANY,
    Author,
    Book,
    Cart,
    Chapter,
    Copy,
    Essay,
    Job,
    Membership,
    Person,
    Shelf,
    Topic,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm.strategy_options import _AbstractLoad


def of_a_list(loader: Callable[..., _AbstractLoad]) -> None:
    """Let loading a list by `loader` be a case."""

    async def read_list(place: Place) -> None:
        async with place.sessions() as session:
            for author in await session.scalars(select(Author).options(loader(Author.books))):
                [book.title for book in author.books]

    read_list.__name__ = f"{loader.__name__}_of_a_list"
    fine(read_list)


of_a_list(selectinload)
of_a_list(subqueryload)


@fine
async def selectinload_in_several_chunks(place: Place) -> None:
    async with place.sessions() as session:
        jobs = (await session.scalars(select(Job))).all()
        for start in range(0, len(jobs), 500):
            keys = [job.id for job in jobs[start : start + 500]]
            (await session.scalars(select(Job).where(Job.id.in_(keys)))).all()


@fine
async def selectinload_of_a_chain(place: Place) -> None:
    deep = selectinload(Author.books).selectinload(Book.chapters)
    async with place.sessions() as session:
        for author in await session.scalars(select(Author).options(deep)):
            [[chapter.heading for chapter in book.chapters] for book in author.books]


@wasteful(available=CHUNKSIZE)
async def selectinload_with_many_chunks_of_a_fair_size(place: Place) -> None:
    chunked = select(Book).options(selectinload(Book.reviews, chunksize=50))
    async with place.sessions() as session:
        for book in await session.scalars(chunked):
            [review.stars for review in book.reviews]


@fine
async def selectinload_down_a_tree(place: Place) -> None:
    tree = selectinload(Topic.below, recursion_depth=3)
    async with place.sessions() as session:
        root = (
            await session.scalars(select(Topic).where(Topic.above_id.is_(None)).options(tree))
        ).one()
        for topic in root.below:
            [(subtopic.name, subtopic.below) for subtopic in topic.below]


@fine
async def selectinload_up_a_tree_of_many_levels(place: Place) -> None:
    """One statement for each level, three topics in each: no chunks of three."""
    tree = selectinload(Topic.above, recursion_depth=-1)
    async with place.sessions() as session:
        root = await session.scalar(select(Topic.id).where(Topic.above_id.is_(None)))
        levels = [
            {"id": 100 * n + k, "name": "deep", "above_id": 100 * (n - 1) + k if n > 1 else root}
            for n in range(1, 7)
            for k in range(3)
        ]
        await session.execute(insert(Topic).values(levels))
        for topic in await session.scalars(select(Topic).where(Topic.id >= 600).options(tree)):
            at: Topic | None = topic
            while at is not None:
                at = at.above


@fine
async def joinedload_of_single_objects(place: Place) -> None:
    both = select(Book).options(joinedload(Book.author), joinedload(Book.publisher))
    async with place.sessions() as session:
        [(book.author.name, book.publisher.name) for book in await session.scalars(both)]


@fine
async def joinedload_of_a_collection_of_one_object(place: Place) -> None:
    async with place.sessions() as session:
        book = await session.get(Book, 1, options=[joinedload(Book.chapters)])
        [chapter.heading for chapter in book.chapters]


@fine
async def contains_eager_of_what_is_filtered(place: Place) -> None:
    filtered = (
        select(Author)
        .join(Author.books)
        .where(Book.title.like("%.1"))
        .options(contains_eager(Author.books))
    )
    async with place.sessions() as session:
        for author in (await session.scalars(filtered)).unique():
            [book.title for book in author.books]


@fine
async def contains_eager_of_a_whole_collection(place: Place) -> None:
    whole = select(Author).join(Author.books).options(contains_eager(Author.books))
    async with place.sessions() as session:
        for author in (await session.scalars(whole)).unique():
            [book.title for book in author.books]


@fine
async def two_relationships_of_one_object(place: Place) -> None:
    async with place.sessions() as session:
        book = await session.get_one(Book, 1)
        await book.awaitable_attrs.author
        await book.awaitable_attrs.publisher
        await book.awaitable_attrs.chapters


@fine
async def a_conditional_read(place: Place) -> None:
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book).order_by(Book.id))).all():
            if book.title.endswith("7.1") or book.title.endswith("3.2") or book.id == 1:
                await book.awaitable_attrs.chapters


@fine
async def one_of_a_list(place: Place) -> None:
    async with place.sessions() as session:
        books = (await session.scalars(select(Book).order_by(Book.id))).all()
        assert [book.title for book in books]
        await books[0].awaitable_attrs.reviews


@fine
async def gets_that_the_session_answers(place: Place) -> None:
    async with place.sessions() as session:
        authors = {author.id: author for author in await session.scalars(select(Author))}
        for book in await session.scalars(select(Book)):
            assert await session.get(Author, book.author_id) is authors[book.author_id]


@fine
async def three_gets_by_hand(place: Place) -> None:
    async with place.sessions() as session:
        await session.get(Author, 1)
        await session.get(Author, 2)
        await session.get(Author, 3)


@fine
async def a_grouped_count(place: Place) -> None:
    counted = select(Author.name, func.count(Book.id)).join(Author.books).group_by(Author.name)
    async with place.sessions() as session:
        dict((await session.execute(counted)).all())


@fine
async def a_window_of_few_rows_each(place: Place) -> None:
    newest = select(Book).where(Book.author_id == Author.id).limit(2).lateral()
    book = aliased(Book, newest)
    async with place.sessions() as session:
        rows = await session.execute(select(Author, book).join(newest, text("true")))
        [(author.name, book.title) for author, book in rows]


@fine
async def eager_and_read_by_some(place: Place) -> None:
    async with place.sessions() as session:
        for book in await session.scalars(select(Book).options(selectinload(Book.reviews))):
            if book.title.endswith("0"):
                [review.stars for review in book.reviews]


@fine
async def handed_on_unread(place: Place) -> list[Book]:
    async with place.sessions() as session:
        both = selectinload(Book.reviews), joinedload(Book.author)
        return [*await session.scalars(select(Book).options(*both))]


@fine
async def a_wide_column_that_is_read(place: Place) -> None:
    async with place.sessions() as session:
        [essay.body[:9] for essay in await session.scalars(select(Essay))]


@fine
async def a_wide_column_left_out(place: Place) -> None:
    async with place.sessions() as session:
        [essay.title for essay in await session.scalars(select(Essay).options(defer(Essay.body)))]


@fine
async def a_wide_column_of_one(place: Place) -> None:
    async with place.sessions() as session:
        essay = await session.get_one(Essay, 1, options=[defer(Essay.body)])
        await session.refresh(essay, ["body"])


@fine
async def a_stream_of_many_rows(place: Place) -> None:
    rows = select(Job.id, Chapter.id).join(Chapter, Chapter.id <= 10)
    async with place.sessions() as session:
        async for _ in await session.stream(rows.execution_options(yield_per=1000)):
            pass


@fine
async def many_rows_with_a_limit(place: Place) -> None:
    rows = select(Job.id, Chapter.id).join(Chapter, Chapter.id <= 10).limit(6000)
    async with place.sessions() as session:
        (await session.execute(rows)).all()


@fine
async def yield_per_of_a_fair_size(place: Place) -> None:
    parts = select(Book).options(selectinload(Book.chapters)).execution_options(yield_per=50)
    async with place.sessions() as session:
        async for book in await session.stream_scalars(parts):
            [chapter.heading for chapter in book.chapters]


@fine
async def a_cascade_that_the_database_does(place: Place) -> None:
    async with place.sessions() as session:
        carts = select(Cart).options(selectinload(Cart.parcels)).limit(5)
        for cart in await session.scalars(carts):
            await session.delete(cart)
        await session.flush()
        await session.rollback()


@fine
async def joined_and_read(place: Place) -> None:
    async with place.sessions() as session:
        joined = select(Membership).options(
            joinedload(Membership.person).joinedload(Person.desk), joinedload(Membership.club)
        )
        for membership in await session.scalars(joined):
            (membership.role, membership.person.name, membership.person.desk, membership.club.name)


@fine
async def a_join_of_one_collection_with_few_rows(place: Place) -> None:
    async with place.sessions() as session:
        pairs = await session.execute(select(Copy, Shelf).join(Copy.shelf))
        [(copy.id, shelf.room) for copy, shelf in pairs]


@fine
async def raiseload_and_lazyload_unread(place: Place) -> None:
    async with place.sessions() as session:
        options = raiseload(Book.reviews), lazyload(Book.chapters), undefer(Book.title)
        [book.title for book in await session.scalars(select(Book).options(*options))]


@fine
async def many_objects_all_looked_at(place: Place) -> None:
    async with place.sessions() as session:
        assert len({job.state for job in await session.scalars(select(Job))}) <= MANY


@fine
async def read_in_a_thread(place: Place) -> None:
    def titles(session: Session) -> list[str]:
        books = session.scalars(select(Book).options(selectinload(Book.chapters))).all()
        return [chapter.heading for book in books for chapter in book.chapters]

    async with place.sessions() as session:
        await session.run_sync(titles)
