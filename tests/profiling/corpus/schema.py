"""A library's schema: lists, single objects, many-to-many, inheritance, trees, composite keys."""

from __future__ import annotations

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Text
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.profiling.numbered import Numbered, association


class Base(AsyncAttrs, DeclarativeBase):
    pass


book_tag = association(Base, "book_tag", "book", "tag")


class Publisher(Numbered, Base):
    name: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="publisher")


class Author(Numbered, Base):
    name: Mapped[str]
    country: Mapped[str]
    books: Mapped[list[Book]] = relationship(back_populates="author")


class Book(Numbered, Base):
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), index=True)
    publisher_id: Mapped[int] = mapped_column(ForeignKey("publisher.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    publisher: Mapped[Publisher] = relationship(back_populates="books")
    chapters: Mapped[list[Chapter]] = relationship(back_populates="book")
    reviews: Mapped[list[Review]] = relationship(back_populates="book")
    tags: Mapped[list[Tag]] = relationship(secondary=book_tag)


class Chapter(Numbered, Base):
    heading: Mapped[str]
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), index=True)
    book: Mapped[Book] = relationship(back_populates="chapters")


class Review(Numbered, Base):
    stars: Mapped[int]
    book_id: Mapped[int] = mapped_column(ForeignKey("book.id"), index=True)
    book: Mapped[Book] = relationship(back_populates="reviews")


class Tag(Numbered, Base):
    word: Mapped[str]


class Desk(Numbered, Base):
    floor: Mapped[int]


class Person(Base):
    __tablename__ = "person"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    desk_id: Mapped[int | None] = mapped_column(ForeignKey("desk.id"))
    desk: Mapped[Desk | None] = relationship()
    memberships: Mapped[list[Membership]] = relationship(back_populates="person")


class Librarian(Person):
    __tablename__ = "librarian"
    __mapper_args__ = {"polymorphic_identity": "librarian"}

    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    certificate: Mapped[int]
    loans: Mapped[list[Loan]] = relationship(back_populates="librarian")


class Reader(Person):
    __mapper_args__ = {"polymorphic_identity": "reader"}


class Loan(Numbered, Base):
    librarian_id: Mapped[int] = mapped_column(ForeignKey("librarian.id"))
    librarian: Mapped[Librarian] = relationship(back_populates="loans")


class Club(Numbered, Base):
    name: Mapped[str]
    memberships: Mapped[list[Membership]] = relationship(back_populates="club")


class Membership(Base):
    __tablename__ = "membership"

    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    role: Mapped[str]
    club: Mapped[Club] = relationship(back_populates="memberships")
    person: Mapped[Person] = relationship(back_populates="memberships")


class Topic(Numbered, Base):
    name: Mapped[str]
    above_id: Mapped[int | None] = mapped_column(ForeignKey("topic.id"))
    above: Mapped[Topic | None] = relationship(back_populates="below", remote_side="Topic.id")
    below: Mapped[list[Topic]] = relationship(back_populates="above")


class Shelf(Base):
    __tablename__ = "shelf"

    room: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    copies: Mapped[list[Copy]] = relationship(back_populates="shelf")


class Copy(Numbered, Base):
    __table_args__ = (ForeignKeyConstraint(["room", "number"], ["shelf.room", "shelf.number"]),)

    room: Mapped[str]
    number: Mapped[int]
    shelf: Mapped[Shelf] = relationship(back_populates="copies")


class Cart(Numbered, Base):
    parcels: Mapped[list[Parcel]] = relationship(cascade="all, delete-orphan")


class Parcel(Numbered, Base):
    cart_id: Mapped[int] = mapped_column(ForeignKey("cart.id", ondelete="CASCADE"))


class Essay(Numbered, Base):
    title: Mapped[str]
    body: Mapped[str] = mapped_column(Text)


class Job(Numbered, Base):
    state: Mapped[str]


AUTHORS, BOOKS_AN_AUTHOR = 12, 3
BOOKS = AUTHORS * BOOKS_AN_AUTHOR
CHAPTERS_A_BOOK, REVIEWS_A_BOOK = 4, 5
MANY = 1200


def library() -> list[Base]:
    """Return unsaved objects of all kinds."""
    publishers = [Publisher(name=f"publisher {n}") for n in range(4)]
    tags = [Tag(word=word) for word in ("old", "red", "thin")]
    authors = [Author(name=f"author {n}", country="FR" if n % 2 else "IT") for n in range(AUTHORS)]
    for number, author in enumerate(authors):
        for n in range(BOOKS_AN_AUTHOR):
            Book(
                title=f"book {number}.{n}",
                author=author,
                publisher=publishers[(number + n) % len(publishers)],
                chapters=[Chapter(heading=f"{k}") for k in range(CHAPTERS_A_BOOK)],
                reviews=[Review(stars=k) for k in range(REVIEWS_A_BOOK)],
                tags=tags[: 1 + n % 3],
            )
    desks = [Desk(floor=n) for n in range(6)]
    people: list[Person] = [Reader(name=f"reader {n}", desk=desks[n]) for n in range(5)]
    librarians = [
        Librarian(name=f"librarian {n}", certificate=n, desk=desks[n], loans=[Loan(), Loan()])
        for n in range(5)
    ]
    people += librarians
    club = Club(
        name="readers", memberships=[Membership(person=person, role="member") for person in people]
    )
    root = Topic(name="all")
    for n in range(4):
        middle = Topic(name=f"{n}", above=root)
        middle.below = [Topic(name=f"{n}.{k}") for k in range(3)]
    shelves = [
        Shelf(room=room, number=n, copies=[Copy(), Copy()]) for room in "ab" for n in range(3)
    ]
    carts = [Cart(parcels=[Parcel(), Parcel()]) for _ in range(20)]
    jobs = [Job(state="new") for _ in range(MANY)]
    essays = [Essay(title=f"essay {n}", body="x" * 3000) for n in range(20)]
    return [*essays, *authors, *publishers, *desks, *people, club, root, *shelves, *carts, *jobs]
