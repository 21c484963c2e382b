"""Eager loads whose objects are read by another way than the relationship, and such as are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from tests.profiling.corpus.cases import Place, fine, wasteful
from tests.profiling.corpus.schema import Author, Book, Membership, Person

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

UNUSED = "unused-eager-load"


async def _names(session: AsyncSession) -> list[Author]:
    authors = (await session.scalars(select(Author))).all()
    assert all(author.name for author in authors)
    return [*authors]


@fine
async def joined_objects_that_get_returns(place: Place) -> None:
    async with place.sessions() as session:
        books = (await session.scalars(select(Book).options(joinedload(Book.author)))).all()
        for book in books:
            assert (await session.get_one(Author, book.author_id)).name


@fine
async def joined_objects_that_another_relationship_leads_to(place: Place) -> None:
    def work(session: Session) -> None:
        memberships = session.scalars(
            select(Membership).options(joinedload(Membership.person))
        ).all()
        keys = [membership.person_id for membership in memberships]
        assert all(session.get_one(Person, key).name for key in keys)

    async with place.sessions() as session:
        await session.run_sync(work)


@fine
async def a_loaded_collection_that_get_returns(place: Place) -> None:
    async with place.sessions() as session:
        query = select(Author).options(selectinload(Author.books)).order_by(Author.id)
        authors = (await session.scalars(query)).all()
        assert authors[0].name
        for number in range(1, 5):
            assert (await session.get_one(Book, number)).title


@fine
async def joined_objects_that_get_returns_after_a_list_elsewhere(place: Place) -> None:
    async with place.sessions() as session:
        await _names(session)
    async with place.sessions() as session:
        books = (await session.scalars(select(Book).options(joinedload(Book.author)))).all()
        for book in books:
            assert (await session.get_one(Author, book.author_id)).name


@fine
async def handed_on_after_a_list_elsewhere(place: Place) -> list[Book]:
    async with place.sessions() as session:
        assert [book.title for book in await session.scalars(select(Book))]
    async with place.sessions() as session:
        return [*await session.scalars(select(Book).options(joinedload(Book.author)))]


@wasteful((UNUSED, "Book.author"))
async def joined_objects_that_were_there(place: Place) -> None:
    async with place.sessions() as session:
        authors = await _names(session)
        books = await session.scalars(select(Book).options(joinedload(Book.author)))
        assert all(book.title for book in books)
        assert authors[0].country


@wasteful((UNUSED, "Book.author"))
async def joined_objects_of_which_equal_ones_were_read(place: Place) -> None:
    async with place.sessions() as session:
        await _names(session)
    async with place.sessions() as session:
        books = await session.scalars(select(Book).options(joinedload(Book.author)))
        assert all(book.title for book in books)
