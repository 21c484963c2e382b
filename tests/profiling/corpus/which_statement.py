"""Lazy loads of objects that several statements have brought: the fix names the one they came from.

Each program takes the options that its findings name, and is run again with them. `# source` marks
the lines where they belong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload, selectinload

from tests.profiling.corpus.cases import N, Place, wasteful
from tests.profiling.corpus.schema import Author, Book, Membership, Publisher, Topic

if TYPE_CHECKING:
    from collections.abc import Callable


async def _one_after_the_other(place: Place, *works: Callable[[Session], Any]) -> None:
    for work in works:
        async with place.sessions() as session:
            await session.run_sync(work)


def _names(session: Session) -> list[str]:
    return [author.name for author in session.scalars(select(Author).order_by(Author.name))]


def _titles(session: Session) -> list[str]:
    return [book.title for book in session.scalars(select(Book))]


@wasteful((N, "Author.books"), loop=True)
async def an_innocent_list_in_another_session(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        for author in session.scalars(select(Author).options(*options)):  # source
            len(author.books)

    await _one_after_the_other(place, _names, work)


@wasteful((N, "Author.books"), loop=True)
async def an_innocent_list_after_it(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        for author in session.scalars(select(Author).options(*options)):  # source
            len(author.books)

    await _one_after_the_other(place, work, _names, _titles)


@wasteful((N, "Author.books"), loop=True)
async def the_same_list_in_two_sessions(place: Place, *options: Any) -> None:
    def few(session: Session) -> int:
        query = select(Author).where(Author.id < 9)
        authors = session.scalars(query.options(*options)).all()  # source
        return sum(len(author.books) for author in authors)

    def all_of_them(session: Session) -> int:
        authors = session.scalars(select(Author).options(*options)).all()  # source
        return sum(len(author.books) for author in authors)

    await _one_after_the_other(place, few, all_of_them)


@wasteful((N, "Author.books"), loop=True)
async def a_second_statement_of_one_session(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        first = session.scalars(select(Author).where(Author.id < 3)).all()
        authors = session.scalars(select(Author).options(*options)).all()  # source
        assert {*first} < {*authors}
        for author in authors:
            len(author.books)

    await _one_after_the_other(place, work)


@wasteful((N, "Author.books"), loop=True)
async def two_halves_of_one_session(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        french, italian = (select(Author).where(Author.country == name) for name in ("FR", "IT"))
        authors = session.scalars(french.options(*options)).all()  # source
        authors += session.scalars(italian.options(*options)).all()  # source
        for author in authors:
            len(author.books)

    await _one_after_the_other(place, _names, work)


@wasteful((N, "Author.books"), loop=True)
async def joined_parents(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        query = select(Book).options(joinedload(Book.author), *options)
        books = session.scalars(query).all()  # source
        for book in books:
            len(book.author.books)

    await _one_after_the_other(place, _names, _titles, work)


@wasteful((N, "Book.reviews"), loop=True)
async def parents_that_an_eager_load_found_again(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        books = session.scalars(select(Book)).all()
        query = select(Author).options(selectinload(Author.books), *options)
        authors = session.scalars(query).all()  # source
        for author in authors:
            for book in author.books:
                assert book in books
                [review.stars for review in book.reviews]

    await _one_after_the_other(place, _titles, work)


@wasteful((N, "Book.author"), loop=True)
async def below_a_get(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        publisher = session.get_one(Publisher, 1, options=options)  # source
        for book in publisher.books:
            book.author.name

    await _one_after_the_other(place, _titles, work)


@wasteful((N, "Author.books"), (N, None))
async def merged_objects(place: Place) -> None:
    async with place.sessions() as session:
        detached = (await session.scalars(select(Author))).all()
    async with place.sessions() as session:
        for author in detached:
            merged = await session.merge(author)  # source
            len(await merged.awaitable_attrs.books)


@wasteful((N, "Author.books"), loop=True)
async def objects_of_which_one_was_refreshed(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        authors = session.scalars(select(Author).options(*options)).all()  # source
        session.refresh(authors[0], ["name"])
        session.expire(authors[1], ["name", "country"])
        assert authors[1].name
        for author in authors:
            len(author.books)

    await _one_after_the_other(place, _names, work)


@wasteful((N, "Author.books"), loop=True)
async def objects_that_a_statement_filled_again(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        authors = session.scalars(select(Author).order_by(Author.id)).all()
        again = select(Author).execution_options(populate_existing=True)
        session.scalars(again.options(*options)).all()  # source
        for author in authors:
            len(author.books)

    await _one_after_the_other(place, work)


@wasteful((N, "Book.chapters"), loop=True)
async def nested_loops(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        query = select(Author).options(selectinload(Author.books), *options)
        for author in session.scalars(query):  # source
            for book in author.books:
                for chapter in book.chapters:
                    chapter.heading

    await _one_after_the_other(place, _titles, _names, work)


def _authors(session: Session, *options: Any) -> list[Author]:
    return [*session.scalars(select(Author).options(*options))]


def _count(author: Author) -> int:
    return len(author.books)


@wasteful((N, "Author.books"), loop=True)
async def functions_that_are_called(place: Place, *options: Any) -> None:
    def work(session: Session) -> int:
        authors = session.scalars(select(Author).options(*options)).all()  # source
        return sum(map(_count, authors))

    await _one_after_the_other(place, _authors, work)


@wasteful((N, "Author.books"), loop=True)
async def two_open_sessions_with_equal_objects(place: Place, *options: Any) -> None:
    async with place.sessions() as other, place.sessions() as session:
        theirs = (await other.scalars(select(Author))).all()
        ours = (await session.scalars(select(Author).options(*options))).all()  # source
        for author, twin in zip(ours, theirs, strict=True):
            assert (twin.id, twin.name) == (author.id, author.name)
            len(await author.awaitable_attrs.books)


@wasteful((N, "Author.books"), loop=True)
async def objects_that_have_moved_to_another_session(place: Place, *options: Any) -> None:
    async with place.sessions() as session:
        authors = (await session.scalars(select(Author).options(*options))).all()  # source
    async with place.sessions() as session:
        (await session.scalars(select(Author.name))).all()
        session.add_all(authors)
        for author in authors:
            len(await author.awaitable_attrs.books)


@wasteful((N, "Topic.below"), loop=True)
async def down_a_tree_after_a_list_of_it(place: Place, *options: Any) -> None:
    def walk(topic: Topic) -> int:
        return 1 + sum(walk(subtopic) for subtopic in topic.below)

    def work(session: Session) -> int:
        root = select(Topic).where(Topic.above_id.is_(None)).options(*options)
        return walk(session.scalars(root).one())  # source

    await _one_after_the_other(
        place, lambda session: [topic.name for topic in session.scalars(select(Topic))], work
    )


@wasteful((N, "Author.books"), loop=True)
async def objects_of_text(place: Place, *options: Any) -> None:
    def work(session: Session) -> None:
        query = select(Author).from_statement(text("SELECT * FROM author"))
        for author in session.scalars(query.options(*options)):  # source
            len(author.books)

    await _one_after_the_other(place, _names, work)


@wasteful((N, "Membership.person"), loop=True)
async def a_stream_beside_the_lists(place: Place, *options: Any) -> None:
    async with place.sessions() as session:
        await session.run_sync(_names)
        memberships = [
            membership
            async for membership in await session.stream_scalars(  # source
                select(Membership).options(*options)
            )
        ]
        for membership in memberships:
            (await membership.awaitable_attrs.person).name
