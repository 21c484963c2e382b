"""Programs that detectors were reported to flag, and that waste nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from sqlalchemy import exists, func, select, text, update
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    joinedload,
    load_only,
    raiseload,
    selectin_polymorphic,
    selectinload,
    with_loader_criteria,
)
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.profiling.corpus.cases import fine
from tests.profiling.corpus.streaming.music import Performer, Track
from tests.profiling.corpus.streaming.schema import (
    Episode,
    Gadget,
    Genre,
    Movie,
    Phone,
    Play,
    Rating,
    Season,
    Series,
    Studio,
    Title,
    Viewer,
    Watch,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.profiling.corpus.cases import World


@fine
async def absent_sequels_eagerly(world: World) -> list[str]:
    with Session(world.server) as session:
        loader = selectinload(Title.sequel).joinedload(Title.studio)
        query = select(Title).options(loader, load_only(Title.name, Title.sequel_id))
        return [title.sequel.studio.name for title in session.scalars(query) if title.sequel]


@fine
async def counted_where_loaded(world: World) -> list[int]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).options(selectinload(Viewer.gadgets)))
        return [len(viewer.gadgets) for viewer in viewers]


@fine
async def created_and_looked_through(world: World) -> str:
    with Session(world.server) as session:
        viewer = Viewer(name="new", premium=False)
        session.add(viewer)
        session.flush()
        session.add(Watch(viewer_id=viewer.id, title_id=7, seconds=1))
        session.flush()
        watch = session.get_one(Watch, (viewer.id, 7))
        return f"{watch.viewer.name} {watch.title.name}"


@fine
async def one_title_and_its_parts(world: World) -> list[str]:
    async with world.sessions() as session:
        series = (await session.scalars(select(Series).order_by(Series.id).limit(1))).one()
        await session.refresh(series, ["seasons", "genres", "studio"])
        names = [genre.name for genre in series.genres]
        return [*names, series.studio.name, str(len(series.seasons))]


@fine
async def alone_and_then_among_many(world: World) -> list[str]:
    async with world.sessions() as session:
        chosen = await session.get_one(Movie, 5, options=[joinedload(Movie.director)])
        query = select(Movie).options(joinedload(Movie.director)).where(Movie.director_id == 3)
        return [chosen.director.name, *(m.director.name for m in await session.scalars(query))]


@fine
async def pages_by_keyset(world: World) -> list[str]:
    serials: list[str] = []
    last = 0
    async with world.sessions() as session:
        while True:
            page = select(Viewer).where(Viewer.id > last).order_by(Viewer.id).limit(6)
            page = page.options(selectinload(Viewer.gadgets))
            viewers = (await session.scalars(page)).all()
            if not viewers:
                return serials
            serials += [gadget.serial for viewer in viewers for gadget in viewer.gadgets]
            last = viewers[-1].id


@fine
async def ids_in_batches(world: World) -> list[str]:
    with Session(world.server) as session:
        ids = session.scalars(select(Watch.title_id).order_by(Watch.title_id)).all()
        names = []
        for start in range(0, len(ids), 20):
            query = select(Title.name).where(Title.id.in_(ids[start : start + 20]))
            names += session.scalars(query).all()
        return names


def streamed(session: Session) -> Iterator[str]:
    query = select(Rating).order_by(Rating.id).execution_options(yield_per=10)
    for rating in session.scalars(query):
        yield f"{rating.title_id}:{rating.stars}"


@fine
async def a_generator_of_a_stream(world: World) -> int:
    with Session(world.server) as session:
        return len(list(streamed(session)))


@fine
async def everything_else_raises(world: World) -> list[str]:
    async with world.sessions() as session:
        options = selectinload(Viewer.watches).joinedload(Watch.title, innerjoin=True)
        query = select(Viewer).options(options.load_only(Title.name), raiseload("*"))
        viewers = (await session.scalars(query)).all()
    return [title.name for viewer in viewers for title in viewer.watched]


@fine
async def filtered_by_its_own_join(world: World) -> list[str]:
    with Session(world.sqlite) as session:
        query = select(Studio).join(Studio.titles).where(Title.minutes > 90)
        query = query.options(contains_eager(Studio.titles).load_only(Title.name))
        studios = session.scalars(query.execution_options(populate_existing=True)).unique()
        return [title.name for studio in studios for title in studio.titles]


@fine
async def criteria_everywhere(world: World) -> list[int]:
    criteria = with_loader_criteria(Rating, Rating.stars > 2)
    with Session(world.server) as session:
        query = select(Rating).join(Viewer, Viewer.id == Rating.viewer_id).options(criteria)
        return [rating.stars for rating in session.scalars(query)]


@fine
async def parents_by_an_alias(world: World) -> list[str]:
    above = aliased(Genre)
    async with world.sessions() as session:
        query = select(Genre, above).join(Genre.parent.of_type(above)).order_by(Genre.id)
        return [f"{genre.name} of {parent.name}" for genre, parent in await session.execute(query)]


@fine
async def parents_by_their_identity(world: World) -> list[str]:
    with Session(world.server) as session:
        studios = session.scalars(select(Studio)).all()
        titles = session.scalars(select(Title).options(load_only(Title.studio_id))).all()
        return [title.studio.name for title in titles if title.studio in studios]


@fine
async def many_by_primary_key(world: World) -> int:
    async with world.sessions() as session:
        rows = [{"id": n, "minutes": 61 + n} for n in range(1, 20)]
        await session.execute(update(Title), rows)
        return len(rows)


@fine
async def changed_in_one_flush(world: World) -> int:
    with Session(world.server) as session:
        for play in session.scalars(select(Play).where(Play.viewer_id < 5)):
            play.at += 1
        session.flush()
        return session.scalar(select(func.count()).where(Play.viewer_id < 5)) or 0


@fine
async def a_dashboard_side_by_side(world: World) -> list[int]:
    async def count(entity: type) -> int:
        async with world.sessions() as session:
            return await session.scalar(select(func.count()).select_from(entity)) or 0

    return list(await asyncio.gather(count(Title), count(Viewer), count(Gadget), count(Genre)))


async def details(world: World, title_id: int) -> list[str]:
    async with world.sessions() as session:
        title = await session.get_one(Title, title_id, options=[selectinload(Title.genres)])
        return [title.name, *(genre.name for genre in title.genres)]


@fine
async def separate_requests(world: World) -> list[list[str]]:
    return [await details(world, 3), await details(world, 17), await details(world, 22)]


@fine
async def a_tenant_at_a_time(world: World) -> list[int]:
    counts = []
    async with world.sessions() as session:
        for tenant in ("north", "south", "west", "east"):
            setting = text("SELECT set_config('app.tenant', :tenant, true)")
            await session.execute(setting, {"tenant": tenant})
            counts.append(await session.scalar(select(func.count(Viewer.id))) or 0)
    return counts


@fine
async def locked_after_a_look(world: World) -> int:
    async with world.sessions() as session:
        query = select(Play).where(Play.id == 4)
        play = (await session.scalars(query)).one()
        if play.at > 0:
            locked = query.with_for_update().execution_options(populate_existing=True)
            play = (await session.scalars(locked)).one()
            play.at += 1
        return play.id


@fine
async def a_hybrid_in_sql(world: World) -> list[int]:
    with Session(world.server) as session:
        query = select(Studio.id, Studio.running_time.label("minutes")).order_by(Studio.id)
        return [row.minutes for row in session.execute(query)]


@fine
async def only_for_premium_viewers(world: World) -> list[str]:
    serials: list[str] = []
    with Session(world.sqlite) as session:
        for viewer in session.scalars(select(Viewer).options(selectinload(Viewer.gadgets))):
            if viewer.premium:
                serials += [gadget.serial for gadget in viewer.gadgets]
    return serials


@fine
async def a_page_of_one_write_only_collection(world: World) -> list[int]:
    async with world.sessions() as session:
        viewer = await session.get_one(Viewer, 3)
        await session.execute(viewer.plays.insert(), [{"at": 1}, {"at": 2}])
        page = viewer.plays.select().order_by(None).order_by(Play.at).limit(2)
        return [play.at for play in await session.scalars(page)]


@fine
async def plays_taken_from_a_queue(world: World) -> int:
    done = 0
    async with world.sessions() as session:
        while True:
            job = select(Play).where(Play.at > 130).order_by(Play.id).limit(1)
            play = (await session.scalars(job.with_for_update(skip_locked=True))).one_or_none()
            if play is None:
                return done
            play.at = 0
            await session.flush()
            done += 1


@fine
async def read_after_the_session(world: World) -> list[str]:
    with Session(world.server, expire_on_commit=False) as session:
        loader = selectinload(Series.seasons).selectinload(Season.episodes)
        series = session.scalars(select(Series).options(loader)).all()
    return [e.name for each in series for season in each.seasons for e in season.episodes]


@fine
async def streamed_in_partitions(world: World) -> int:
    total = 0
    async with world.sessions() as session:
        query = select(Rating).execution_options(yield_per=15)
        async for part in (await session.stream_scalars(query)).partitions():
            total += sum(rating.stars for rating in part)
    return total


class StudioShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str


class TitleShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str
    studio: StudioShown | None


@fine
async def optional_models(world: World) -> int:
    async with world.sessions() as session:
        query = select(Title).options(load_only(Title.name), joinedload(Title.studio))
        titles = await session.scalars(query)
        return len([TitleShown.model_validate(title) for title in titles])


@fine
async def all_kinds_with_their_own(world: World) -> list[str]:
    with Session(world.server) as session:
        kinds = selectin_polymorphic(Title, [Movie, Series])
        options = (selectinload(Movie.director), selectinload(Series.seasons))
        titles = session.scalars(select(Title).options(kinds, *options)).all()
        return [
            title.director.name if isinstance(title, Movie) else str(len(title.seasons))
            for title in titles
        ]


@fine
async def phones_of_one_viewer(world: World) -> list[str]:
    with Session(world.server) as session:
        phones = session.scalars(select(Phone).where(Phone.viewer_id == 4)).all()
        return [phone.carrier.name for phone in phones]


@fine
async def asked_once_each(world: World) -> list[bool]:
    with Session(world.sqlite) as session:
        taken = session.scalar(select(exists().where(Gadget.serial == "P3")))
        free = session.scalar(select(exists().where(Gadget.serial == "X3")))
        return [bool(taken), bool(free)]


@fine
async def merged_from_a_cache(world: World) -> list[str]:
    with Session(world.server) as session:
        cached = session.scalars(select(Viewer).where(Viewer.id < 7)).all()
    with Session(world.server) as session:
        return [session.merge(viewer, load=False).name for viewer in cached]


@fine
async def one_commit_of_many(world: World) -> int:
    async with AsyncSession(world.garage) as session:
        performers = (await session.exec(select(Performer).where(Performer.id < 3))).scalars()
        session.add_all([Track(name="new", performer_id=each.id) for each in performers.all()])
        await session.flush()
        return await session.scalar(select(func.count(Track.id)).where(Track.name == "new")) or 0


@fine
async def tracks_of_the_first_page(world: World) -> list[str]:
    query = select(Performer).options(selectinload(Performer.tracks)).limit(4)
    async with AsyncSession(world.garage) as session:
        performers = (await session.exec(query)).scalars().all()
        return [f"{each.name}: {len(each.tracks)}" for each in performers]


@fine
async def numbered_by_a_window(world: World) -> list[str]:
    with Session(world.server) as session:
        number = func.row_number().over(partition_by=Episode.series_id, order_by=Episode.id)
        ranked = select(Episode.id, number.label("number")).subquery()
        query = select(Episode).join(ranked, ranked.c.id == Episode.id).where(ranked.c.number == 1)
        return [episode.name for episode in session.scalars(query)]
