"""Programs that load more than they look at, or load it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import (
    joinedload,
    selectinload,
    subqueryload,
)

from tests.profiling.corpus.cases import CHUNKSIZE, Place, fine, wasteful
from tests.profiling.corpus.schema import (
    Author,
    Book,
    Cart,
    Chapter,
    Essay,
    Job,
    Tag,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


@wasteful(("cartesian-product", "Book.chapters"))
async def two_joined_collections(place: Place) -> None:
    both = select(Book).options(joinedload(Book.chapters), joinedload(Book.reviews))
    async with place.sessions() as session:
        for book in (await session.scalars(both)).unique():
            [
                *(chapter.heading for chapter in book.chapters),
                *(review.stars for review in book.reviews),
            ]


@wasteful(("cartesian-product", "Author.books"))
async def collections_joined_at_two_depths(place: Place) -> None:
    both = select(Book).options(
        joinedload(Book.author).joinedload(Author.books), joinedload(Book.reviews)
    )
    async with place.sessions() as session:
        for book in (await session.scalars(both)).unique():
            [
                *(other.title for other in book.author.books),
                *(review.stars for review in book.reviews),
            ]


@wasteful(("joined-collection", "Author.books"))
async def a_joined_collection(place: Place) -> None:
    joined = select(Author).options(joinedload(Author.books))
    async with place.sessions() as session:
        for author in (await session.scalars(joined)).unique():
            [book.title for book in author.books]


@wasteful(("joined-collection", "Author.books"))
async def a_chain_of_joined_collections(place: Place) -> None:
    joined = select(Author).options(joinedload(Author.books).joinedload(Book.chapters))
    async with place.sessions() as session:
        for author in (await session.scalars(joined)).unique():
            [[chapter.heading for chapter in book.chapters] for book in author.books]


@wasteful(("joined-collection", "Book.tags"))
async def a_joined_many_to_many(place: Place) -> None:
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book).options(joinedload(Book.tags)))).unique():
            [tag.word for tag in book.tags]


@wasteful(("unused-eager-load", "Book.reviews"))
async def selected_in_and_never_read(place: Place) -> None:
    async with place.sessions() as session:
        for book in await session.scalars(select(Book).options(selectinload(Book.reviews))):
            book.title


@wasteful(("unused-eager-load", "Book.author"))
async def joined_and_never_read(place: Place) -> None:
    async with place.sessions() as session:
        [
            book.title
            for book in await session.scalars(select(Book).options(joinedload(Book.author)))
        ]


@wasteful(("unused-eager-load", "Author.books"))
async def loaded_by_a_subquery_and_never_read(place: Place) -> None:
    # What is below it was not read either; that goes without saying.
    option = subqueryload(Author.books).subqueryload(Book.chapters)
    async with place.sessions() as session:
        [author.name for author in await session.scalars(select(Author).options(option))]


@wasteful("duplicate-statement")
async def the_same_twice(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            (await session.scalars(select(Tag.word))).all()


@wasteful("duplicate-statement")
async def the_same_from_two_functions(place: Place) -> None:
    async def first(session: AsyncSession) -> int:
        return len((await session.scalars(select(Book).where(Book.author_id == 1))).all())

    async def second(session: AsyncSession) -> int:
        return len((await session.scalars(select(Book).where(Book.author_id == 1))).all())

    async with place.sessions() as session:
        await first(session) + await second(session)


@wasteful("over-fetch")
async def a_whole_list_for_ten_rows(place: Place) -> None:
    async with place.sessions() as session:
        jobs = (await session.scalars(select(Job).order_by(Job.id))).all()
        [job.state for job in jobs[:10]]


# They may have been handed on, or read by vars(): nothing tells that from counting.
@fine
async def whole_collections_for_their_sizes(place: Place) -> None:
    async with place.sessions() as session:
        for book in await session.scalars(select(Book).options(selectinload(Book.reviews))):
            len(book.reviews)


@wasteful("over-fetch")
async def a_wide_column_that_is_never_read(place: Place) -> None:
    async with place.sessions() as session:
        [essay.title for essay in await session.scalars(select(Essay))]


@wasteful(("chunked-n-plus-one", "Author.books"), available=CHUNKSIZE)
async def tiny_chunks(place: Place) -> None:
    tiny = select(Author).options(selectinload(Author.books, chunksize=2))
    async with place.sessions() as session:
        for author in await session.scalars(tiny):
            [book.title for book in author.books]


@wasteful(("chunked-n-plus-one", "Book.chapters"))
async def a_tiny_yield_per(place: Place) -> None:
    parts = select(Book).options(selectinload(Book.chapters)).execution_options(yield_per=4)
    async with place.sessions() as session:
        async for book in await session.stream_scalars(parts):
            [chapter.heading for chapter in book.chapters]


@wasteful(("hidden-load", "Cart.parcels"))
async def a_cascade_in_a_flush(place: Place) -> None:
    async with place.sessions() as session:
        for cart in (await session.scalars(select(Cart).limit(5))).all():
            await session.delete(cart)
        await session.flush()
        await session.rollback()


@wasteful("missing-limit")
async def rows_without_end(place: Place) -> None:
    async with place.sessions() as session:
        jobs = select(Job.id, Chapter.id).join(Chapter, Chapter.id <= 10)
        (await session.execute(jobs)).all()
