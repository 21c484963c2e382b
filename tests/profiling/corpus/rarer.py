"""Rarer programs: by ways that are easily overlooked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import aliased, joinedload, selectin_polymorphic, selectinload, with_parent

from tests.profiling.corpus.cases import N, Place, fine, wasteful
from tests.profiling.corpus.schema import (
    Author,
    Book,
    Chapter,
    Desk,
    Job,
    Librarian,
    Person,
    Publisher,
    Tag,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@wasteful((N, "Author.books"))
async def refresh_of_a_relationship_in_a_loop(place: Place) -> None:
    async with place.sessions() as session:
        for author in (await session.scalars(select(Author))).all():
            await session.refresh(author, ["books"])
            assert [book.title for book in author.books]


@wasteful((N, None))
async def values_written_into_the_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for number in range(1, 6):
            await connection.execute(text(f"SELECT title FROM book WHERE author_id = {number}"))


@wasteful((N, None))
async def names_written_into_the_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for row in (await connection.exec_driver_sql("SELECT name FROM author")).all():
            await connection.exec_driver_sql(f"SELECT id FROM author WHERE name = '{row.name}'")


@fine
async def pages_written_into_the_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for number in range(5):
            await connection.execute(
                text(f"SELECT title FROM book ORDER BY id LIMIT 5 OFFSET {5 * number}")
            )


@fine
async def lists_written_into_the_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for number in range(5):
            keys = ", ".join(str(number * 5 + n) for n in range(5))
            await connection.execute(text(f"SELECT title FROM book WHERE id IN ({keys})"))


@wasteful((N, None))
async def merge_in_a_loop(place: Place) -> None:
    async with place.sessions() as session:
        for number in range(1, 6):
            await session.merge(Desk(id=number, floor=number))
        await session.rollback()


@wasteful((N, None))
async def columns_of_subclasses_one_by_one(place: Place) -> None:
    def work(session: Session) -> list[int]:
        people = session.scalars(select(Person).where(Person.kind == "librarian")).all()
        return [person.certificate for person in people if isinstance(person, Librarian)]

    async with place.sessions() as session:
        await session.run_sync(work)


@fine
async def columns_of_subclasses_at_once(place: Place) -> None:
    option = selectin_polymorphic(Person, [Librarian])
    async with place.sessions() as session:
        people = (await session.scalars(select(Person).options(option))).all()
        assert [person.certificate for person in people if isinstance(person, Librarian)]


@wasteful((N, None))
async def with_parent_in_a_loop(place: Place) -> None:
    async with place.sessions() as session:
        for author in (await session.scalars(select(Author))).all():
            newest = select(Book).where(with_parent(author, Author.books)).limit(1)
            await session.scalar(newest)


@wasteful((N, None))
async def a_task_group(place: Place) -> None:
    async def count(author: int) -> None:
        async with place.engine.connect() as connection:
            await connection.scalar(select(func.count()).where(Book.author_id == author))

    async with place.sessions() as session:
        authors = (await session.scalars(select(Author))).all()
    async with asyncio.TaskGroup() as tasks:
        for author in authors[:5]:
            tasks.create_task(count(author.id))


@wasteful((N, None))
async def a_session_for_each_row(place: Place) -> None:
    async with place.sessions() as session:
        authors = (await session.scalars(select(Author.id))).all()
    for author in authors:
        async with place.sessions() as session:
            await session.get(Author, author)


@fine
async def a_select_before_each_of_two_writes(place: Place) -> None:
    async with place.sessions() as session:
        for number in (1, 2):
            desk = await session.get_one(Desk, number)
            await session.execute(update(Desk).where(Desk.id == desk.id).values(floor=desk.floor))
        await session.rollback()


@fine
async def claims_by_update_returning(place: Place) -> None:
    async with place.sessions() as session:
        for number in range(1, 6):
            claimed = update(Job).where(Job.id == number).values(state="new").returning(Job.id)
            await session.scalar(claimed)
        await session.rollback()


@fine
async def deletes_in_batches(place: Place) -> None:
    async with place.sessions() as session:
        for start in range(5000, 5400, 100):
            await session.execute(delete(Job).where(Job.id.between(start, start + 99)))
        await session.rollback()


@fine
async def different_relationships_by_options(place: Place) -> None:
    other = aliased(Book)
    async with place.sessions() as session:
        pairs = await session.execute(
            select(Book, other)
            .join(other, other.author_id == Book.author_id)
            .where(Book.id < other.id)
            .options(joinedload(Book.author))
        )
        assert [(book.author.name, later.title) for book, later in pairs]


@fine
async def a_loader_by_keys(place: Place) -> None:
    async with place.sessions() as session:
        books = (await session.scalars(select(Book).limit(12))).all()
        for entity, keys in (
            (Author, {book.author_id for book in books}),
            (Publisher, {book.publisher_id for book in books}),
        ):
            found = await session.scalars(select(entity).where(entity.id.in_(keys)))
            assert [author.name for author in found]


@fine
async def a_report_by_month_windows(place: Place) -> None:
    async with place.engine.connect() as connection:
        for start in range(1, 13, 3):
            await connection.scalar(
                select(func.count())
                .select_from(Chapter)
                .where(Chapter.book_id >= start, Chapter.book_id < start + 3)
            )


@fine
async def eager_for_two_pages_of_few(place: Place) -> None:
    async with place.sessions() as session:
        for offset in (0, 3, 6, 9):
            page = select(Book).order_by(Book.id).limit(3).offset(offset)
            books = await session.scalars(page.options(selectinload(Book.tags)))
            assert [[tag.word for tag in book.tags] for book in books]
        await session.scalar(select(func.count(Tag.id)))
