"""Look-ups in a session each: for the rows of an earlier statement, or for equal ids of their own.

Each wasteful program has a twin that sends the same statements with the same values, after the same
list, and owes it nothing.
"""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from tests.profiling.corpus.cases import N, Place, fine, wasteful
from tests.profiling.corpus.schema import Author, Book

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession


async def _authors(place: Place) -> list[Author]:
    async with place.sessions() as session:
        return [*await session.scalars(select(Author))]


async def _name(place: Place, number: int) -> str:
    async with place.sessions() as session:
        return (await session.get_one(Author, number)).name


async def _books(place: Place, author: int) -> int | None:
    query = select(func.count()).select_from(Book).where(Book.author_id == author)
    async with place.sessions() as session:
        return await session.scalar(query)


async def _books_in(session: AsyncSession, author: int) -> int:
    return len((await session.scalars(select(Book).where(Book.author_id == author))).all())


@wasteful((N, None))
async def gets_of_what_a_list_brought(place: Place) -> None:
    for author in await _authors(place):
        await _name(place, author.id)


@fine
async def gets_after_a_list(place: Place) -> None:
    assert [author.name for author in await _authors(place)]
    for number in range(1, 11):
        await _name(place, number)


@fine
async def gets_after_an_eager_load(place: Place) -> None:
    async with place.sessions() as session:
        for author in await session.scalars(select(Author).options(selectinload(Author.books))):
            [book.title for book in author.books]
    for number in range(10):
        async with place.sessions() as session:
            (await session.get_one(Author, number + 1)).name


@wasteful((N, None))
async def a_handler_for_each_of_a_list(place: Place) -> None:
    numbers = [author.id for author in await _authors(place)]
    for number in sorted(numbers[2:], reverse=True):
        await _books(place, number)


@fine
async def a_handler_with_ids_of_its_own(place: Place) -> None:
    numbers = [author.id for author in await _authors(place)]
    assert numbers
    for number in (3, 5, 9, 12, 2, 7, 11, 8):
        await _books(place, number)


@wasteful((N, None))
async def gather_of_a_list(place: Place) -> None:
    authors = await _authors(place)
    await asyncio.gather(*[_books(place, author.id) for author in authors])


@fine
async def gather_of_numbers(place: Place) -> None:
    assert [author.name for author in await _authors(place)]
    await asyncio.gather(*[_books(place, number + 1) for number in range(10)])


@wasteful((N, None))
async def one_name_for_two_lists(place: Place) -> None:
    for number in range(3):
        assert number < 3
    for number in [author.id for author in await _authors(place)]:
        await _books(place, number)


@fine
async def one_name_for_a_list_and_for_numbers(place: Place) -> None:
    for number in [author.id for author in await _authors(place)]:
        assert number
    for number in range(1, 11):
        await _books(place, number)


@wasteful((N, "Book.author"))
async def gets_of_what_a_column_refers_to(place: Place) -> None:
    async with place.sessions() as session:
        owners = {book.id: book.author_id for book in await session.scalars(select(Book))}
    for author in set(owners.values()):
        await _name(place, author)


@wasteful((N, None))
async def a_session_that_is_passed_on(place: Place) -> None:
    for author in await _authors(place):
        async with place.sessions() as session:
            await _books_in(session, author=author.id)


@fine
async def a_session_that_has_held_the_list(place: Place) -> None:
    authors = await _authors(place)
    async with place.sessions() as session:
        for author in authors:
            session.add(author)
    for number in range(1, 11):
        async with place.sessions() as session:
            await _books_in(session, number)


@wasteful((N, None))
async def numbers_that_were_collected(place: Place) -> None:
    numbers: list[int] = []
    for author in await _authors(place):
        name = author.name
        numbers.append(author.id)
        assert name
    for place_in_list in range(len(numbers)):
        await _books(place, numbers[place_in_list])


@fine
async def as_many_numbers_as_rows(place: Place) -> None:
    numbers = [author.id for author in await _authors(place)]
    for number in range(1, len(numbers) + 1):
        await _books(place, number)


@wasteful((N, None))
async def a_group_of_tasks_for_a_list(place: Place) -> None:
    authors = await _authors(place)
    async with asyncio.TaskGroup() as group:
        for position, author in enumerate(authors):
            group.create_task(_books(place, author.id), name=str(position))


@fine
async def a_group_of_tasks_for_positions(place: Place) -> None:
    authors = await _authors(place)
    async with asyncio.TaskGroup() as group:
        for position, author in enumerate(authors, 1):
            group.create_task(_books(place, position), name=author.name)


@wasteful((N, None))
async def a_queue_of_a_list(place: Place) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        while not queue.empty():
            await _books(place, await queue.get())

    for author in await _authors(place):
        await queue.put(author.id)
    await asyncio.gather(work(), work(), work())


@fine
async def a_queue_of_numbers(place: Place) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        while not queue.empty():
            await _books(place, await queue.get())

    assert [author.id for author in await _authors(place)]
    for number in range(1, 11):
        await queue.put(number)
    await asyncio.gather(work(), work(), work())


@wasteful((N, None))
async def mapped_over_a_list(place: Place) -> None:
    numbers = [author.id for author in await _authors(place)]
    await asyncio.gather(*map(lambda number: _books(place, number), numbers))  # noqa: C417 -- it is about them


@fine
async def ids_of_a_request(place: Place) -> None:
    assert [author.id for author in await _authors(place)]
    for number in json.loads("[1, 2, 3, 4, 5, 6]"):
        await _books(place, number)


@fine
async def a_counter_after_a_list(place: Place) -> None:
    assert [author.id for author in await _authors(place)]
    for number in count(1):
        await _books(place, number)
        if number == 10:
            break


class Library:
    def __init__(self, place: Place) -> None:
        self.place = place
        self.numbers: list[int] = []

    async def load(self) -> None:
        async with self.place.sessions() as session:
            self.numbers = [*await session.scalars(select(Author.id))]

    async def books(self, author: int) -> int | None:
        return await _books(self.place, author)

    async def books_of_all(self) -> list[int | None]:
        return [await self.books(number) for number in self.numbers]


@wasteful((N, None))
async def methods_of_one_object(place: Place) -> None:
    library = Library(place)
    await library.load()
    await library.books_of_all()


@fine
async def methods_of_one_object_by_hand(place: Place) -> None:
    library = Library(place)
    await library.load()
    for number in (1, 2, 3, 4, 5):
        await library.books(number)


async def _numbers(place: Place) -> AsyncIterator[int]:
    async with place.sessions() as session:
        async for number in await session.stream_scalars(select(Author.id)):
            yield number


@wasteful((N, None))
async def a_generator_of_rows(place: Place) -> None:
    async for number in _numbers(place):
        await _books(place, number)


@fine
async def a_generator_beside_numbers(place: Place) -> None:
    number = 0
    async for _ in _numbers(place):
        number += 1
        await _books(place, number)


@fine
async def few_of_a_list_and_many_others(place: Place) -> None:
    for author in (await _authors(place))[:2]:
        await _books(place, author.id)
    for number in (5, 6, 7, 8):
        await _books(place, number)
