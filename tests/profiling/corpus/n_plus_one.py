"""Programs that send one statement for each thing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text
from sqlalchemy.orm import (
    Session,
    defer,
    immediateload,
    selectinload,
)

from tests.profiling.corpus.cases import N, Place, wasteful
from tests.profiling.corpus.schema import (
    Author,
    Book,
    Chapter,
    Club,
    Copy,
    Desk,
    Essay,
    Librarian,
    Person,
    Publisher,
    Review,
    Shelf,
    Topic,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


@wasteful((N, "Author.books"))
async def a_collection_of_each_parent(place: Place) -> None:
    def work(session: Session) -> int:
        return sum(len(author.books) for author in session.scalars(select(Author)))

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Book.author"))
async def a_single_object_of_each_parent(place: Place) -> None:
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book))).all():
            (await book.awaitable_attrs.author).name


@wasteful((N, "Book.publisher"))
async def few_targets_for_many_parents(place: Place) -> None:
    # Four publishers of 36 books: the others come from the session, and still all were asked for.
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book))).all():
            (await book.awaitable_attrs.publisher).name


@wasteful((N, "Author.books"), (N, "Book.chapters"))
async def a_chain_of_collections(place: Place) -> None:
    def work(session: Session) -> None:
        for author in session.scalars(select(Author)):
            for book in author.books:
                for chapter in book.chapters:
                    chapter.heading

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Book.reviews"))
async def below_an_eager_load(place: Place) -> None:
    def work(session: Session) -> None:
        for author in session.scalars(select(Author).options(selectinload(Author.books))):
            for book in author.books:
                for review in book.reviews:
                    review.stars

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Book.chapters"))
async def only_the_first_few_of_a_page(place: Place) -> None:
    async with place.sessions() as session:
        page = (await session.scalars(select(Book).order_by(Book.id).limit(5))).all()
        for book in page:
            len(await book.awaitable_attrs.chapters)


@wasteful((N, "Person.desk"))
async def polymorphic_parents(place: Place) -> None:
    def work(session: Session) -> list[int]:
        return [person.desk.floor for person in session.scalars(select(Person)) if person.desk]

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Librarian.loans"))
async def a_subclass_of_the_parents(place: Place) -> None:
    def work(session: Session) -> int:
        people = session.scalars(select(Person)).all()
        return sum(len(person.loans) for person in people if isinstance(person, Librarian))

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Topic.below"))
async def down_a_tree(place: Place) -> None:
    def walk(topic: Topic) -> int:
        return 1 + sum(walk(subtopic) for subtopic in topic.below)

    def work(session: Session) -> int:
        return walk(session.scalars(select(Topic).where(Topic.above_id.is_(None))).one())

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, "Topic.above"))
async def up_a_tree_from_each_leaf(place: Place) -> None:
    async with place.sessions() as session:
        for topic in (await session.scalars(select(Topic).where(Topic.name.like("%.%")))).all():
            (await topic.awaitable_attrs.above).name


@wasteful((N, "Membership.person"))
async def through_an_association_object(place: Place) -> None:
    async with place.sessions() as session:
        club = (await session.scalars(select(Club).options(selectinload(Club.memberships)))).one()
        for membership in club.memberships:
            (await membership.awaitable_attrs.person).name


@wasteful((N, "Shelf.copies"))
async def composite_keys(place: Place) -> None:
    async with place.sessions() as session:
        for shelf in await session.scalars(select(Shelf)):
            for copy in await shelf.awaitable_attrs.copies:
                copy.id


@wasteful((N, "Copy.shelf"))
async def composite_keys_the_other_way(place: Place) -> None:
    async with place.sessions() as session:
        for copy in (await session.scalars(select(Copy))).all():
            (await copy.awaitable_attrs.shelf).room


@wasteful((N, "Book.tags"))
async def many_to_many(place: Place) -> None:
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book))).all():
            [tag.word for tag in await book.awaitable_attrs.tags]


async def _chapters_of(book: Book) -> int:
    return len(await book.awaitable_attrs.chapters)


async def _headings_of(book: Book) -> list[str]:
    return [chapter.heading for chapter in await book.awaitable_attrs.chapters]


@wasteful((N, "Book.chapters"))
async def through_several_functions(place: Place) -> None:
    async with place.sessions() as session:
        for number, book in enumerate(await session.scalars(select(Book).limit(6))):
            await (_chapters_of(book) if number % 2 else _headings_of(book))


@wasteful((N, None))
async def get_in_a_loop(place: Place) -> None:
    async with place.sessions() as session:
        for number in range(1, 8):
            await session.get(Author, number)


@wasteful((N, "Book.author"))
async def get_of_what_rows_refer_to(place: Place) -> None:
    async with place.sessions() as session:
        for book in (await session.scalars(select(Book))).all():
            author = await session.get(Author, book.author_id)
            assert author.name


@wasteful((N, None))
async def get_one_in_a_comprehension(place: Place) -> None:
    async with place.sessions() as session:
        [await session.get_one(Book, number) for number in (3, 1, 4, 15, 9)]


@wasteful((N, None))
async def refresh_in_a_loop(place: Place) -> None:
    async with place.sessions() as session:
        for desk in (await session.scalars(select(Desk))).all():
            await session.refresh(desk)


@wasteful((N, None))
async def expired_by_a_commit(place: Place) -> None:
    def work(session: Session) -> None:
        desks = session.scalars(select(Desk)).all()
        session.expire_all()
        for desk in desks:
            desk.floor

    async with place.sessions() as session:
        await session.run_sync(work)


@wasteful((N, None))
async def a_deferred_column_of_each(place: Place) -> None:
    async with place.sessions() as session:
        for essay in (await session.scalars(select(Essay).options(defer(Essay.body)))).all():
            await essay.awaitable_attrs.body


@wasteful((N, None))
async def a_select_for_each_parent(place: Place) -> None:
    async with place.sessions() as session:
        for author in (await session.scalars(select(Author))).all():
            books = await session.scalars(select(Book).where(Book.author_id == author.id))
            [book.title for book in books]


@wasteful((N, None))
async def a_limited_select_for_each_parent(place: Place) -> None:
    async with place.sessions() as session:
        for number in (await session.scalars(select(Author.id))).all():
            newest = select(Book).where(Book.author_id == number).order_by(Book.id.desc()).limit(2)
            (await session.scalars(newest)).all()


@wasteful((N, None))
async def an_aggregate_for_each_parent(place: Place) -> None:
    async with place.sessions() as session:
        for author in (await session.scalars(select(Author))).all():
            counted = select(func.count()).select_from(Book).where(Book.author_id == author.id)
            await session.scalar(counted)


@wasteful((N, None))
async def a_core_loop(place: Place) -> None:
    async with place.engine.connect() as connection:
        for (number,) in (await connection.execute(select(Book.id).limit(9))).all():
            await connection.execute(select(Chapter.heading).where(Chapter.book_id == number))


@wasteful((N, None))
async def a_loop_of_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for row in (await connection.execute(text("SELECT id FROM book ORDER BY id"))).all():
            await connection.execute(
                text("SELECT stars FROM review WHERE book_id = :book"), {"book": row.id}
            )


@wasteful((N, None))
async def a_list_of_one_at_a_time(place: Place) -> None:
    async with place.sessions() as session:
        for number in (1, 2, 3, 4):
            (await session.scalars(select(Review).where(Review.book_id.in_([number])))).all()


@wasteful((N, None))
async def by_name_without_case(place: Place) -> None:
    async with place.sessions() as session:
        for name in ("Author 1", "AUTHOR 2", "author 3", "Author 4"):
            await session.scalar(
                select(Author.id).where(func.lower(Author.name) == func.lower(name))
            )


async def _books_of(session: AsyncSession, author: int) -> list[Book]:
    return [*await session.scalars(select(Book).where(Book.author_id == author))]


async def _names(session: AsyncSession, authors: list[int]) -> list[str]:
    return [book.title for author in authors for book in await _books_of(session, author)]


@wasteful((N, None))
async def across_functions(place: Place) -> None:
    async with place.sessions() as session:
        await _names(session, [*await session.scalars(select(Author.id))])


@wasteful((N, None))
async def in_gather_with_a_session_each(place: Place) -> None:
    async def titles(author: int) -> list[str]:
        async with place.sessions() as session:
            return [*await session.scalars(select(Book.title).where(Book.author_id == author))]

    async with place.sessions() as session:
        authors = (await session.scalars(select(Author.id))).all()
    await asyncio.gather(*(titles(author) for author in authors[:4]))


@wasteful((N, "Book.publisher"))
async def in_gather_by_get(place: Place) -> None:
    async def name(number: int) -> str:
        async with place.sessions() as session:
            return (await session.get_one(Publisher, number)).name

    async with place.sessions() as session:
        books = (await session.scalars(select(Book).limit(9))).all()
    await asyncio.gather(
        *(name(publisher_id) for publisher_id in {book.publisher_id for book in books})
    )


@wasteful((N, None))
async def in_async_for(place: Place) -> None:
    async with place.sessions() as session, place.sessions() as other:
        async for author in await session.stream_scalars(select(Author)):
            await other.scalar(select(func.count(Book.id)).where(Book.author_id == author.id))


@wasteful((N, "Author.books"))
async def immediate_loads(place: Place) -> None:
    async with place.sessions() as session:
        for author in await session.scalars(select(Author).options(immediateload(Author.books))):
            [book.title for book in author.books]
