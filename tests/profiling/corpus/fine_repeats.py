"""Programs that repeat themselves with good reason: pages, batches, polling, retries, requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, insert, select, text, tuple_, update
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import (
    selectinload,
)

from tests.profiling.corpus.cases import Place, fine
from tests.profiling.corpus.schema import (
    Author,
    Book,
    Chapter,
    Desk,
    Job,
    Parcel,
    Publisher,
    Review,
    Tag,
)

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


@fine
async def pages_by_offset(place: Place) -> None:
    async with place.sessions() as session:
        for offset in range(0, 36, 9):
            page = select(Book).order_by(Book.id).limit(9).offset(offset)
            [book.title for book in await session.scalars(page)]


@fine
async def pages_by_key(place: Place) -> None:
    last = 0
    async with place.sessions() as session:
        while True:
            page = select(Book).where(Book.id > last).order_by(Book.id).limit(9)
            books = (await session.scalars(page)).all()
            if not books:
                break
            last = books[-1].id


@fine
async def pages_by_two_keys(place: Place) -> None:
    last = ("", 0)
    async with place.sessions() as session:
        for _ in range(4):
            after = (Book.title > last[0]) | ((Book.title == last[0]) & (Book.id > last[1]))
            page = select(Book).where(after).order_by(Book.title, Book.id).limit(9)
            books = (await session.scalars(page)).all()
            last = (books[-1].title, books[-1].id)


@fine
async def pages_by_a_row_of_keys(place: Place) -> None:
    last = ("", 0)
    async with place.sessions() as session:
        for _ in range(4):
            page = (
                select(Book)
                .where(tuple_(Book.title, Book.id) > last)
                .order_by(Book.title, Book.id)
                .limit(9)
            )
            books = (await session.scalars(page)).all()
            last = (books[-1].title, books[-1].id)


@fine
async def pages_of_one_parent(place: Place) -> None:
    async with place.sessions() as session:
        for offset in (0, 1, 2):
            page = select(Book).where(Book.author_id == 1).order_by(Book.id).limit(1).offset(offset)
            (await session.scalars(page)).all()


@fine
async def pages_with_their_collections(place: Place) -> None:
    async with place.sessions() as session:
        for offset in range(0, 36, 6):
            page = (
                select(Book)
                .order_by(Book.id)
                .limit(6)
                .offset(offset)
                .options(selectinload(Book.reviews))
            )
            for book in await session.scalars(page):
                [review.stars for review in book.reviews]


@fine
async def pages_of_text(place: Place) -> None:
    async with place.engine.connect() as connection:
        for offset in (0, 10, 20, 30):
            await connection.execute(
                text("SELECT id FROM book ORDER BY id LIMIT 10 OFFSET :offset"),
                {"offset": offset},
            )


@fine
async def lists_of_keys_in_batches(place: Place) -> None:
    async with place.sessions() as session:
        keys = (await session.scalars(select(Book.id).order_by(Book.id))).all()
        for start in range(0, len(keys), 10):
            batch = select(Chapter).where(Chapter.book_id.in_(keys[start : start + 10]))
            [chapter.heading for chapter in await session.scalars(batch)]


@fine
async def arrays_of_keys_in_batches(place: Place) -> None:
    async with place.engine.connect() as connection:
        for start in range(1, 31, 10):
            await connection.execute(
                text("SELECT id FROM chapter WHERE book_id = ANY(:books)"),
                {"books": list(range(start, start + 10))},
            )


@fine
async def ranges_of_keys_in_batches(place: Place) -> None:
    async with place.sessions() as session:
        for start in range(1, 36, 9):
            await session.scalars(select(Book.title).where(Book.id.between(start, start + 8)))


@fine
async def ranges_by_two_bounds(place: Place) -> None:
    async with place.engine.connect() as connection:
        for start in range(0, 36, 9):
            await connection.execute(
                select(func.count()).where(Book.id >= start, Book.id < start + 9)
            )


async def _poll(place: Place, job: int, times: int, nap: float) -> None:
    async with place.sessions() as session:
        for _ in range(times):
            await session.scalar(select(Job.state).where(Job.id == job))
            await asyncio.sleep(nap)


@fine
async def polling_in_one_transaction(place: Place) -> None:
    await _poll(place, 1, 4, 0.03)


@fine
async def polling_with_short_naps(place: Place) -> None:
    await _poll(place, 2, 5, 0.005)


@fine
async def polling_in_transactions_of_their_own(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(4):
            await session.scalar(select(Job.state).where(Job.id == 1))
            await session.rollback()


@fine
async def polling_by_refresh(place: Place) -> None:
    async with place.sessions() as session:
        job = await session.get_one(Job, 1)
        for _ in range(4):
            await session.refresh(job)
            assert job.state == "new"


@fine
async def a_queue_of_jobs(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(4):
            job = await session.scalar(
                select(Job).where(Job.state == "new").with_for_update(skip_locked=True).limit(1)
            )
            job.state = "done"
            await session.flush()
        await session.rollback()


@fine
async def a_transaction_for_each_thing_that_is_written(place: Place) -> None:
    async with place.sessions() as session:
        keys = (await session.scalars(select(Job.id).order_by(Job.id).limit(4))).all()
        await session.rollback()
        for key in keys:
            job = await session.get_one(Job, key)
            job.state = "seen"
            await session.commit()


@fine
async def retries(place: Place) -> None:
    async with place.sessions() as session:
        for attempt in range(3):
            try:
                await session.execute(text("SELECT 1 / :n FROM book LIMIT 1"), {"n": attempt // 2})
            except DBAPIError:
                await session.rollback()


@fine
async def inserts_in_savepoints(place: Place) -> None:
    async with place.sessions() as session:
        for key in (9001, 9001, 9002, 9003):
            try:
                async with session.begin_nested():
                    session.add(Desk(id=key, floor=1))
            except IntegrityError:
                pass
        await session.rollback()


@fine
async def inserts_one_by_one(place: Place) -> None:
    async with place.sessions() as session:
        for number in range(5):
            session.add(Desk(floor=number))
            await session.flush()
        await session.rollback()


@fine
async def an_executemany(place: Place) -> None:
    async with place.engine.connect() as connection:
        await connection.execute(insert(Desk), [{"floor": n} for n in range(50)])
        await connection.execute(
            update(Job).where(Job.id == 1).values(state="new"),
        )
        await connection.rollback()


@fine
async def a_bulk_of_objects(place: Place) -> None:
    async with place.sessions() as session:
        session.add_all([Tag(word=str(n)) for n in range(40)])
        await session.flush()
        await session.rollback()


async def _a_page_about(place: Place, author: int) -> int:
    async with place.sessions() as session:
        found = await session.get_one(Author, author)
        books = await session.scalars(select(Book).where(Book.author_id == found.id))
        return len(books.all())


@fine
async def independent_requests_at_once(place: Place) -> None:
    await asyncio.gather(_a_page_about(place, 1), _a_page_about(place, 2))


@fine
async def many_independent_requests(place: Place) -> None:
    for author in range(1, 9):
        await _a_page_about(place, author)


@fine
async def different_questions_on_one_table(place: Place) -> None:
    async with place.sessions() as session:
        await session.scalar(select(func.count(Book.id)))
        await session.scalar(select(func.max(Book.id)))
        await session.scalar(select(exists().where(Book.title == "nowhere")))


@fine
async def read_again_after_a_write(place: Place) -> None:
    async with place.sessions() as session:
        count = select(func.count()).select_from(Desk)
        before = await session.scalar(count)
        await session.execute(insert(Desk).values(floor=7))
        assert await session.scalar(count) == before + 1
        await session.rollback()


@fine
async def read_again_in_a_new_transaction(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            (await session.scalars(select(Tag.word))).all()
            await session.commit()


@fine
async def a_sum_for_each_currency_of_few(place: Place) -> None:
    async with place.sessions() as session:
        for country in ("FR", "IT"):
            await session.scalar(select(func.count()).where(Author.country == country))


@fine
async def a_list_and_its_count(place: Place) -> None:
    async with place.sessions() as session:
        shown = await session.scalars(select(Review).order_by(Review.id).limit(10))
        [review.stars for review in shown]
        await session.scalar(select(func.count()).select_from(Review))


async def _totals(session: AsyncSession) -> tuple[int | None, int | None]:
    return (
        await session.scalar(select(func.count()).select_from(Publisher)),
        await session.scalar(select(func.count()).select_from(Parcel)),
    )


@fine
async def a_report_of_several_totals(place: Place) -> None:
    async with place.sessions() as session:
        await _totals(session)
