"""Reads by psycopg and SQLite, without async."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import Template
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import (
    Session,
    joinedload,
    load_only,
    selectin_polymorphic,
    selectinload,
    undefer,
)

from tests.profiling.corpus.pairs import paired
from tests.profiling.corpus.streaming.schema import (
    Episode,
    Gadget,
    Genre,
    Movie,
    Phone,
    Play,
    Poster,
    Rating,
    Season,
    Series,
    Studio,
    Title,
    Viewer,
    Watch,
)

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World

N, UNUSED, OVER = "n-plus-one", "unused-eager-load", "over-fetch"
PRODUCT, DUPLICATE = "cartesian-product", "duplicate-statement"


async def watched_with_their_titles(world: World) -> list[str]:
    loader = selectinload(Viewer.watches).joinedload(Watch.title).load_only(Title.name)
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).options(loader))
        return [title.name for viewer in viewers for title in viewer.watched]


@paired(watched_with_their_titles, (N, "Watch.title"))
async def through_an_association_proxy(world: World) -> list[str]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).options(selectinload(Viewer.watches))).all()
        return [title.name for viewer in viewers for title in viewer.watched]  # waste


async def running_times_with_titles(world: World) -> list[int]:
    with Session(world.server) as session:
        loader = selectinload(Studio.titles).load_only(Title.minutes)
        return [each.running_time for each in session.scalars(select(Studio).options(loader))]


@paired(running_times_with_titles, (N, "Studio.titles"))
async def a_hybrid_reads_a_collection(world: World) -> list[int]:
    with Session(world.server) as session:
        return [each.running_time for each in session.scalars(select(Studio)).all()]


async def counts_undeferred(world: World) -> list[int]:
    with Session(world.sqlite) as session:
        query = select(Studio).options(undefer(Studio.title_count))
        return [studio.title_count for studio in session.scalars(query)]


@paired(counts_undeferred, N)
async def a_deferred_column_property(world: World) -> list[int]:
    with Session(world.sqlite) as session:
        studios = session.scalars(select(Studio)).all()
        return [studio.title_count for studio in studios]  # waste


async def budgets_of_the_subclass(world: World) -> int:
    with Session(world.server) as session:
        query = select(Title).options(selectin_polymorphic(Title, [Movie]))
        return sum(each.budget for each in session.scalars(query) if isinstance(each, Movie))


@paired(budgets_of_the_subclass, N)
async def columns_of_a_joined_subclass(world: World) -> int:
    with Session(world.server) as session:
        titles = session.scalars(select(Title)).all()
        return sum(title.budget for title in titles if isinstance(title, Movie))  # waste


async def high_ratings_counted_at_once(world: World) -> list[int]:
    grouped = select(Rating.viewer_id, func.count()).where(Rating.stars > 2)
    with Session(world.server) as session:
        counts = dict(tuple(row) for row in session.execute(grouped.group_by(Rating.viewer_id)))
        return [counts.get(viewer.id, 0) for viewer in session.scalars(select(Viewer))]


@paired(high_ratings_counted_at_once, N)
async def count_of_a_dynamic_collection(world: World) -> list[int]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer)).all()
        return [viewer.ratings.filter(Rating.stars > 2).count() for viewer in viewers]  # waste


STARTS = ("title 1", "title 2", "title 3", "title 4", "title 7")


async def names_by_all_patterns(world: World) -> list[str]:
    patterns = or_(*(Title.name.like(f"{start}%") for start in STARTS))
    with Session(world.server) as session:
        names = session.scalars(select(Title.name).where(patterns).order_by(Title.id)).all()
        return [name for start in STARTS for name in names if name.startswith(start)]


@paired(names_by_all_patterns, N)
async def like_for_each_start(world: World) -> list[str]:
    names: list[str] = []
    with Session(world.server) as session:
        for start in STARTS:
            query = select(Title.name).where(Title.name.like(f"{start}%")).order_by(Title.id)
            names += session.scalars(query).all()  # waste
    return names


GUIDE = Template(
    "{% for show in series %}{{ show.name }}:{% for season in show.seasons %}"
    "{% for episode in season.episodes %} {{ episode.name }}{% endfor %}{% endfor %};{% endfor %}"
)


async def guide_with_episodes(world: World) -> str:
    with Session(world.sqlite) as session:
        loader = selectinload(Series.seasons).selectinload(Season.episodes)
        query = select(Series).options(loader).order_by(Series.id)
        return GUIDE.render(series=session.scalars(query).all())


@paired(guide_with_episodes, (N, "Season.episodes"))
async def a_composite_key_in_a_template(world: World) -> str:
    with Session(world.sqlite) as session:
        query = select(Series).options(selectinload(Series.seasons)).order_by(Series.id)
        return GUIDE.render(series=session.scalars(query).all())  # waste


class CarrierShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


class PhoneShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    serial: str
    carrier: CarrierShown


async def phones_with_carriers(world: World) -> list[str]:
    with Session(world.server) as session:
        loader = selectinload(Viewer.gadgets.of_type(Phone)).selectinload(Phone.carrier)
        gadgets = [
            each for v in session.scalars(select(Viewer).options(loader)) for each in v.gadgets
        ]
        phones = [PhoneShown.model_validate(each) for each in gadgets if isinstance(each, Phone)]
        return [f"{phone.serial} {phone.carrier.name}" for phone in phones]


@paired(phones_with_carriers, (N, "Phone.carrier"), N)
async def below_a_single_table_subclass(world: World) -> list[str]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).options(selectinload(Viewer.gadgets))).all()
        gadgets = [gadget for viewer in viewers for gadget in viewer.gadgets]
        phones = [
            PhoneShown.model_validate(each) for each in gadgets if isinstance(each, Phone)
        ]  # waste
        return [f"{phone.serial} {phone.carrier.name}" for phone in phones]


def seen(viewers: list[Viewer]) -> list[tuple[int, list[str]]]:
    return [
        (sum(watch.seconds for watch in viewer.watches), [each.serial for each in viewer.gadgets])
        for viewer in viewers
    ]


async def watches_and_devices_apart(world: World) -> list[tuple[int, list[str]]]:
    with Session(world.server) as session:
        options = selectinload(Viewer.watches), selectinload(Viewer.gadgets)
        return seen(session.scalars(select(Viewer).options(*options)).all())


@paired(watches_and_devices_apart, (PRODUCT, "Viewer.watches"))
async def two_collections_joined(world: World) -> list[tuple[int, list[str]]]:
    with Session(world.server) as session:
        options = joinedload(Viewer.watches), joinedload(Viewer.gadgets)
        return seen(session.scalars(select(Viewer).options(*options)).unique().all())  # waste


async def devices_counted_at_once(world: World) -> list[int]:
    grouped = select(Gadget.viewer_id, func.count(Gadget.id)).group_by(Gadget.viewer_id)
    with Session(world.server) as session:
        counts = dict(tuple(row) for row in session.execute(grouped))
        return [counts.get(viewer.id, 0) for viewer in session.scalars(select(Viewer))]


@paired(devices_counted_at_once, N, (UNUSED, "Viewer.gadgets"))
async def counted_again_what_is_loaded(world: World) -> list[int]:
    with Session(world.server) as session:
        query = select(Viewer).options(selectinload(Viewer.gadgets))
        viewers = session.scalars(query).all()
        count = select(func.count(Gadget.id))
        return [
            session.scalar(count.where(Gadget.viewer_id == v.id)) or 0 for v in viewers
        ]  # waste


async def captions_alone(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Poster).options(load_only(Poster.caption))
        return [poster.caption for poster in session.scalars(query)]


@paired(captions_alone, OVER)
async def pictures_for_a_list(world: World) -> list[str]:
    with Session(world.server) as session:
        return [poster.caption for poster in session.scalars(select(Poster))]  # waste


async def names_below_at_once(world: World) -> list[str]:
    with Session(world.sqlite) as session:
        loader = selectinload(Genre.children, recursion_depth=-1)
        root = session.scalars(select(Genre).where(Genre.id == 1).options(loader)).one()
        return names_below(root)


def names_below(genre: Genre) -> list[str]:
    names = [genre.name]
    for child in genre.children:  # waste
        names += names_below(child)
    return names


@paired(names_below_at_once, (N, "Genre.children"))
async def down_a_tree_by_recursion(world: World) -> list[str]:
    with Session(world.sqlite) as session:
        return names_below(session.get_one(Genre, 1))


async def names_by_an_array(world: World) -> list[str]:
    with world.server.connect() as connection:
        rows = connection.exec_driver_sql("SELECT title_id FROM watch WHERE viewer_id < 4").all()
        query = "SELECT id, name FROM title WHERE id = ANY(%s)"
        names = dict(
            tuple(row) for row in connection.exec_driver_sql(query, ([r[0] for r in rows],))
        )
        return [names[row[0]] for row in rows]


@paired(names_by_an_array, N)
async def sql_of_the_driver(world: World) -> list[str]:
    names = []
    with world.server.connect() as connection:
        rows = connection.exec_driver_sql("SELECT title_id FROM watch WHERE viewer_id < 4").all()
        for row in rows:
            query = "SELECT name FROM title WHERE id = %s"
            names.append(connection.exec_driver_sql(query, (row[0],)).scalar_one())  # waste
    return names


async def directors_of_loaded_movies(world: World) -> list[str]:
    with Session(world.server) as session:
        query = session.query(Movie).options(joinedload(Movie.director)).filter(Movie.id < 30)
        return [movie.director.name for movie in query.order_by(Movie.id)]


@paired(directors_of_loaded_movies, (N, "Movie.director"))
async def the_old_query_api(world: World) -> list[str]:
    with Session(world.server) as session:
        movies = session.query(Movie).filter(Movie.id < 30).order_by(Movie.id)
        return [movie.director.name for movie in movies]  # waste


def may_watch(session: Session, name: str, title: Title) -> bool:
    viewer = session.query(Viewer).filter_by(name=name).first()  # waste
    return bool(viewer and (viewer.premium or title.minutes < 90))


async def one_look_at_the_viewer(world: World) -> list[bool]:
    with Session(world.sqlite) as session:
        viewer = session.query(Viewer).filter_by(name="viewer 5").one()
        titles = session.query(Title.minutes).all()
        return [viewer.premium or minutes < 90 for (minutes,) in titles]


@paired(one_look_at_the_viewer, DUPLICATE)
async def permission_for_each_title(world: World) -> list[bool]:
    with Session(world.sqlite) as session:
        titles = session.query(Title).options(load_only(Title.minutes)).all()
        return [may_watch(session, "viewer 5", title) for title in titles]


async def active_by_one_semi_join(world: World) -> list[bool]:
    with Session(world.server) as session:
        active = {*session.scalars(select(Play.viewer_id).where(Play.at > 60).distinct())}
        return [viewer.id in active for viewer in session.scalars(select(Viewer))]


@paired(active_by_one_semi_join, N)
async def truth_of_a_whole_list(world: World) -> list[bool]:
    active = []
    with Session(world.server) as session:
        for viewer in session.scalars(select(Viewer)).all():
            plays = select(Play).where(Play.viewer_id == viewer.id, Play.at > 60)
            active.append(bool(session.scalars(plays).all()))  # waste
    return active


async def episodes_with_seasons(world: World) -> list[int]:
    with Session(world.server) as session:
        query = select(Episode).options(joinedload(Episode.season)).order_by(Episode.id)
        return [episode.season.year for episode in session.scalars(query)]


@paired(episodes_with_seasons, N)
async def parent_by_text_of_each(world: World) -> list[int]:
    years = []
    statement = text("SELECT year FROM season WHERE series_id = :series AND number = :number")
    with Session(world.server) as session:
        for episode in session.scalars(select(Episode).order_by(Episode.id)).all():
            key = {"series": episode.series_id, "number": episode.season_number}
            years.append(session.execute(statement, key).scalar_one())  # waste
    return years
