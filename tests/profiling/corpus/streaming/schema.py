"""A streaming service: titles of three kinds, their seasons and episodes, viewers and gadgets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, ForeignKeyConstraint, LargeBinary, func, select, text
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    column_property,
    mapped_column,
    relationship,
)

from tests.profiling.numbered import Numbered, association

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Streaming(DeclarativeBase):
    pass


title_genres = association(Streaming, "title_genres", "title", "genre")


class Director(Numbered, Streaming):
    name: Mapped[str]


class Genre(Numbered, Streaming):
    name: Mapped[str]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("genre.id"))
    parent: Mapped[Genre | None] = relationship(back_populates="children", remote_side="Genre.id")
    children: Mapped[list[Genre]] = relationship(back_populates="parent", order_by="Genre.id")


class Title(Numbered, Streaming):
    kind: Mapped[str]
    name: Mapped[str]
    minutes: Mapped[int]
    studio_id: Mapped[int | None] = mapped_column(ForeignKey("studio.id"))
    sequel_id: Mapped[int | None] = mapped_column(ForeignKey("title.id"))
    studio: Mapped[Studio | None] = relationship(back_populates="titles")
    sequel: Mapped[Title | None] = relationship(remote_side="Title.id")
    genres: Mapped[list[Genre]] = relationship(secondary=title_genres, order_by="Genre.id")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "title"}


class Poster(Numbered, Streaming):
    caption: Mapped[str]
    picture: Mapped[bytes] = mapped_column(LargeBinary)


class Movie(Title):
    __tablename__ = "movie"

    id: Mapped[int] = mapped_column(ForeignKey("title.id"), primary_key=True)
    budget: Mapped[int]
    director_id: Mapped[int] = mapped_column(ForeignKey("director.id"))
    director: Mapped[Director] = relationship()

    __mapper_args__ = {"polymorphic_identity": "movie"}


class Series(Title):
    __tablename__ = "series"

    id: Mapped[int] = mapped_column(ForeignKey("title.id"), primary_key=True)
    ended: Mapped[bool]
    seasons: Mapped[list[Season]] = relationship(order_by="Season.number", cascade="all")

    __mapper_args__ = {"polymorphic_identity": "series"}


class Studio(Numbered, Streaming):
    name: Mapped[str]
    history: Mapped[str]
    titles: Mapped[list[Title]] = relationship(back_populates="studio", order_by="Title.id")

    @hybrid_property
    def running_time(self) -> int:
        return sum(title.minutes for title in self.titles)

    @running_time.inplace.expression
    @classmethod
    def _running_time(cls):
        total = select(func.sum(Title.minutes)).where(Title.studio_id == cls.id)
        return total.scalar_subquery()


Studio.title_count = column_property(
    select(func.count(Title.id)).where(Title.studio_id == Studio.id).scalar_subquery(),
    deferred=True,
)


class Season(Streaming):
    """Its key has two columns."""

    __tablename__ = "season"

    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    year: Mapped[int]
    episodes: Mapped[list[Episode]] = relationship(
        back_populates="season", order_by="Episode.id", cascade="all"
    )


class Episode(Numbered, Streaming):
    series_id: Mapped[int]
    season_number: Mapped[int]
    name: Mapped[str]
    season: Mapped[Season] = relationship(back_populates="episodes")

    __table_args__ = (
        ForeignKeyConstraint(["series_id", "season_number"], ["season.series_id", "season.number"]),
    )


class Viewer(Numbered, Streaming):
    name: Mapped[str]
    premium: Mapped[bool]
    watches: Mapped[list[Watch]] = relationship(back_populates="viewer", order_by="Watch.title_id")
    gadgets: Mapped[list[Gadget]] = relationship(back_populates="viewer", order_by="Gadget.id")
    plays: WriteOnlyMapped[Play] = relationship(order_by="Play.id")
    ratings: DynamicMapped[Rating] = relationship(order_by="Rating.id")
    watched: AssociationProxy[list[Title]] = association_proxy("watches", "title")


class Watch(Streaming):
    """What a viewer has watched of a title."""

    __tablename__ = "watch"

    viewer_id: Mapped[int] = mapped_column(ForeignKey("viewer.id"), primary_key=True)
    title_id: Mapped[int] = mapped_column(ForeignKey("title.id"), primary_key=True)
    seconds: Mapped[int]
    viewer: Mapped[Viewer] = relationship(back_populates="watches")
    title: Mapped[Title] = relationship()


class Play(Numbered, Streaming):
    viewer_id: Mapped[int] = mapped_column(ForeignKey("viewer.id"))
    at: Mapped[int]


class Rating(Numbered, Streaming):
    viewer_id: Mapped[int] = mapped_column(ForeignKey("viewer.id"))
    title_id: Mapped[int] = mapped_column(ForeignKey("title.id"))
    stars: Mapped[int]


class Carrier(Numbered, Streaming):
    name: Mapped[str]


class Gadget(Streaming):
    """Single-table inheritance."""

    __tablename__ = "gadget"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    serial: Mapped[str] = mapped_column(unique=True)
    viewer_id: Mapped[int] = mapped_column(ForeignKey("viewer.id"))
    viewer: Mapped[Viewer] = relationship(back_populates="gadgets")

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "gadget"}


class Phone(Gadget):
    carrier_id: Mapped[int | None] = mapped_column(ForeignKey("carrier.id"))
    carrier: Mapped[Carrier] = relationship()

    __mapper_args__ = {"polymorphic_identity": "phone"}


class Television(Gadget):
    inches: Mapped[int | None]

    __mapper_args__ = {"polymorphic_identity": "television"}


def fill_streaming(connection: Connection) -> None:
    """Store 8 studios of 5 titles, 13 genres, 15 viewers of 4 watches and 2 gadgets."""
    with Session(connection) as session:
        session.add_all(Director(id=n, name=f"director {n}") for n in range(1, 9))
        session.add_all(Poster(caption=f"poster {n}", picture=b"p" * 2500) for n in range(30))
        session.add_all(Carrier(id=n, name=f"carrier {n}") for n in range(1, 16))
        session.add(Genre(id=1, name="all"))
        session.flush()
        session.add_all(Genre(id=n, name=f"genre {n}", parent_id=1) for n in range(2, 5))
        session.flush()
        session.add_all(Genre(id=n, name=f"genre {n}", parent_id=n % 3 + 2) for n in range(5, 14))
        studios = [Studio(id=n, name=f"studio {n}", history=f"{n}" * 900) for n in range(1, 9)]
        session.add_all(studios)
        session.flush()
        for n in range(1, 41):
            common = {"id": n, "name": f"title {n}", "minutes": 60 + n, "studio_id": n % 8 + 1}
            if n % 4 == 0:
                seasons = [
                    Season(
                        number=k,
                        year=2000 + k,
                        episodes=[Episode(name=f"{n}.{k}.{e}") for e in (1, 2)],
                    )
                    for k in (1, 2, 3)
                ]
                title = Series(ended=n % 3 == 0, seasons=seasons, **common)
            else:
                title = Movie(budget=1000 * n, director_id=n % 8 + 1, **common)
            title.genres = [session.get_one(Genre, n % 9 + 5), session.get_one(Genre, n % 3 + 2)]
            session.add(title)
        session.flush()
        for n in range(1, 16):
            viewer = Viewer(id=n, name=f"viewer {n}", premium=n % 5 == 0)
            viewer.watches = [
                Watch(title_id=(n * 3 + k * 7) % 40 + 1, seconds=n + k) for k in range(4)
            ]
            viewer.gadgets = [
                Phone(serial=f"P{n}", carrier_id=n),
                Television(serial=f"T{n}", inches=40 + n),
            ]
            viewer.plays.add_all(Play(at=n * 10 + k) for k in range(3))
            for k in range(3):
                viewer.ratings.append(Rating(title_id=(n + k * 11) % 40 + 1, stars=(n + k) % 5 + 1))
            session.add(viewer)
        session.flush()
        if connection.dialect.name == "postgresql":
            for table in ("viewer", "play", "rating"):
                next_id = f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"
                session.execute(text(next_id))
        session.commit()
