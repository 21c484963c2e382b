"""Reads and writes by asyncpg and aiosqlite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.profiling.corpus.pairs import paired
from tests.profiling.corpus.streaming.music import Performer, Playlist, Scrobble, Track
from tests.profiling.corpus.streaming.schema import (
    Episode,
    Gadget,
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
    from sqlmodel import Session as ModelSession

    from tests.profiling.corpus.cases import World

N, JOINED, HIDDEN = "n-plus-one", "joined-collection", "hidden-load"


async def plays_of_all(world: World) -> list[list[int]]:
    async with world.sessions() as session:
        viewers = (await session.scalars(select(Viewer).where(Viewer.id < 9))).all()
        ids = [viewer.id for viewer in viewers]
        plays: dict[int, list[int]] = {key: [] for key in ids}
        for play in await session.scalars(select(Play).where(Play.viewer_id.in_(ids))):
            plays[play.viewer_id].append(play.at)
        return [plays[viewer.id] for viewer in viewers]


@paired(plays_of_all, N)
async def a_write_only_collection_of_each(world: World) -> list[list[int]]:
    plays = []
    async with world.sessions() as session:
        for viewer in (await session.scalars(select(Viewer).where(Viewer.id < 9))).all():
            mine = await session.scalars(viewer.plays.select())  # waste
            plays.append([play.at for play in mine])
    return plays


async def seasons_by_their_keys(world: World) -> list[int]:
    async with world.sessions() as session:
        episodes = (await session.scalars(select(Episode).where(Episode.id < 30))).all()
        keys = {(each.series_id, each.season_number) for each in episodes}
        query = select(Season).where(tuple_(Season.series_id, Season.number).in_(keys))
        years = {(each.series_id, each.number): each.year for each in await session.scalars(query)}
        return [years[each.series_id, each.season_number] for each in episodes]


@paired(seasons_by_their_keys, (N, "Episode.season"))
async def get_by_a_composite_key(world: World) -> list[int]:
    years = []
    async with world.sessions() as session:
        episodes = (await session.scalars(select(Episode).where(Episode.id < 30))).all()
        for each in episodes:
            season = await session.get_one(Season, (each.series_id, each.season_number))  # waste
            years.append(season.year)
    return years


async def genres_of_all(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Title).where(Title.minutes < 75).options(selectinload(Title.genres))
        return [genre.name for title in await session.scalars(query) for genre in title.genres]


@paired(genres_of_all, (N, "Title.genres"))
async def refreshed_for_a_relationship(world: World) -> list[str]:
    names = []
    async with world.sessions() as session:
        for title in (await session.scalars(select(Title).where(Title.minutes < 75))).all():
            await session.refresh(title, ["genres"])  # waste
            names += [genre.name for genre in title.genres]
    return names


async def read_before_the_commit(world: World) -> list[str]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).where(Viewer.id < 10)).all()
        names = [viewer.name for viewer in viewers]
        session.commit()
        return names


@paired(read_before_the_commit, N)
async def read_again_after_the_commit(world: World) -> list[str]:
    with Session(world.server) as session:
        viewers = session.scalars(select(Viewer).where(Viewer.id < 10)).all()
        session.commit()
        return [viewer.name for viewer in viewers]  # waste


STARS = [{"id": n, "viewer_id": n, "title_id": n, "stars": n % 5 + 1} for n in range(1, 13)]


async def upserted_together(world: World) -> int:
    async with world.sessions() as session:
        statement = postgresql.insert(Rating)
        stars = {"stars": statement.excluded.stars}
        statement = statement.on_conflict_do_update(index_elements=["id"], set_=stars)
        result = await session.execute(statement.values(STARS))
        return result.rowcount


@paired(upserted_together, N)
async def upsert_of_each_rating(world: World) -> int:
    count = 0
    async with world.sessions() as session:
        for row in STARS:
            statement = postgresql.insert(Rating).values(**row)
            stars = {"stars": statement.excluded.stars}
            statement = statement.on_conflict_do_update(index_elements=["id"], set_=stars)
            count += (await session.execute(statement)).rowcount  # waste
    return count


async def phones_locked_together(world: World) -> list[str]:
    async with world.sessions() as session:
        ids = await session.scalars(select(Gadget.id).where(Gadget.serial.startswith("P")))
        query = select(Gadget).where(Gadget.id.in_(ids.all())).with_for_update()
        return [gadget.serial for gadget in await session.scalars(query.order_by(Gadget.id))]


@paired(phones_locked_together, N)
async def lock_of_each_row(world: World) -> list[str]:
    serials = []
    async with world.sessions() as session:
        ids = await session.scalars(select(Gadget.id).where(Gadget.serial.startswith("P")))
        for device_id in ids.all():
            query = select(Gadget).where(Gadget.id == device_id).with_for_update()
            serials.append((await session.scalars(query)).one().serial)  # waste
    return serials


async def studios_of_one_query(world: World) -> list[str]:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Title.studio_id).where(Title.id < 9))).all()
        query = select(Studio).where(Studio.id.in_(ids))
        names = {studio.id: studio.name for studio in await session.scalars(query)}
        return [names[key] for key in ids]


@paired(studios_of_one_query, N)
async def gathered_with_a_session_each(world: World) -> list[str]:
    async def name(studio_id: int) -> str:
        async with world.sessions() as session:
            return (await session.get_one(Studio, studio_id)).name  # waste

    async with world.sessions() as session:
        ids = (await session.scalars(select(Title.studio_id).where(Title.id < 9))).all()
    return await asyncio.gather(*(name(key) for key in ids))


def total(studios: list[Studio]) -> list[tuple[int, int]]:
    return [(len(s.history), sum(title.minutes for title in s.titles)) for s in studios]


async def titles_selected_in(world: World) -> list[tuple[int, int]]:
    async with world.sessions() as session:
        loader = selectinload(Studio.titles).load_only(Title.minutes)
        return total((await session.scalars(select(Studio).options(loader))).all())


@paired(titles_selected_in, (JOINED, "Studio.titles"))
async def wide_parents_repeated(world: World) -> list[tuple[int, int]]:
    async with world.sessions() as session:
        loader = joinedload(Studio.titles).load_only(Title.minutes)
        studios = await session.scalars(select(Studio).options(loader))  # waste
        return total(studios.unique().all())


INCOMING = [{"id": n, "viewer_id": 1, "at": n} for n in range(1, 10)]


async def incoming_by_one_look(world: World) -> int:
    async with world.sessions() as session:
        ids = [row["id"] for row in INCOMING]
        plays = await session.scalars(select(Play).where(Play.id.in_(ids)))
        known = {play.id: play for play in plays}
        for row in INCOMING:
            known[row["id"]].at = row["at"]
        await session.flush()
        return len(known)


@paired(incoming_by_one_look, N)
async def merged_one_by_one(world: World) -> int:
    async with world.sessions() as session:
        for row in INCOMING:
            play = Play(id=row["id"], at=row["at"])
            await session.merge(play)  # waste
        await session.flush()
        return len(INCOMING)


async def seasons_deleted_at_once(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Series.id).where(Series.id > 20))).all()
        await session.execute(delete(Episode).where(Episode.series_id.in_(ids)))
        await session.execute(delete(Season).where(Season.series_id.in_(ids)))
        return len(ids)


@paired(seasons_deleted_at_once, (HIDDEN, "Season.episodes"))
async def each_season_deleted(world: World) -> int:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Series.id).where(Series.id > 20))).all()
        seasons = await session.scalars(select(Season).where(Season.series_id.in_(ids)))
        for season in seasons.all():
            await session.delete(season)  # waste
        await session.flush()
        return len(ids)


SCROBBLES = [f"line {n}" for n in range(7)]


async def added_at_once(world: World) -> int:
    async with AsyncSession(world.garage) as session:
        session.add_all([Scrobble(line=line) for line in SCROBBLES])
        await session.commit()
    return len(SCROBBLES)


@paired(added_at_once, N)
async def added_flushed_and_refreshed(world: World) -> int:
    async with AsyncSession(world.garage) as session:
        for line in SCROBBLES:
            scrobble = Scrobble(line=line)
            session.add(scrobble)
            await session.commit()  # waste
            await session.refresh(scrobble)
    return len(SCROBBLES)


async def titles_in_one_list(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Watch).where(Watch.viewer_id < 4).options(joinedload(Watch.title))
        return [watch.title.name for watch in await session.scalars(query)]


@paired(titles_in_one_list, N)
async def a_list_of_one_id_for_each(world: World) -> list[str]:
    names = []
    async with world.sessions() as session:
        watches = await session.scalars(select(Watch).where(Watch.viewer_id < 4))
        for watch in watches.all():
            query = select(Title.name).where(Title.id.in_([watch.title_id]))
            names += (await session.scalars(query)).all()  # waste
    return names


async def playlists_with_performers(world: World) -> list[str]:
    loader = selectinload(Playlist.tracks).selectinload(Track.performer)
    async with AsyncSession(world.garage) as session:
        playlists = (await session.exec(select(Playlist).options(loader))).scalars().all()
        return [track.performer.name for each in playlists for track in each.tracks]


@paired(playlists_with_performers, (N, "Track.performer"))
async def below_a_link_model(world: World) -> list[str]:
    def names(session: ModelSession) -> list[str]:
        query = select(Playlist).options(selectinload(Playlist.tracks))
        tracks = [track for each in session.scalars(query) for track in each.tracks]
        return [track.performer.name for track in tracks]  # waste

    async with AsyncSession(world.garage) as session:
        return await session.run_sync(names)


async def one_update_of_all(world: World) -> int:
    async with world.sessions() as session:
        changed = update(Watch).where(Watch.seconds > 10).values(seconds=Watch.seconds - 1)
        return (await session.execute(changed)).rowcount


@paired(one_update_of_all, N)
async def an_update_of_each_by_core(world: World) -> int:
    count = 0
    async with world.sessions() as session:
        query = select(Watch.viewer_id, Watch.title_id, Watch.seconds).where(Watch.seconds > 10)
        for viewer_id, title_id, seconds in (await session.execute(query)).all():
            mine = (Watch.viewer_id == viewer_id, Watch.title_id == title_id)
            changed = update(Watch).where(*mine).values(seconds=seconds - 1)
            count += (await session.execute(changed)).rowcount  # waste
    return count


async def inserted_by_a_list(world: World) -> int:
    async with world.sessions() as session:
        await session.execute(insert(Play), [{"viewer_id": n, "at": n} for n in range(1, 9)])
        return 8


@paired(inserted_by_a_list, N)
async def flushed_for_each_new_row(world: World) -> int:
    async with world.sessions() as session:
        for n in range(1, 9):
            session.add(Play(viewer_id=n, at=n))
            await session.flush()  # waste
        return 8


async def performers_by_name(world: World) -> list[int]:
    wanted = [f"performer {n}" for n in (2, 4, 6, 8)]
    async with AsyncSession(world.garage) as session:
        rows = await session.exec(
            select(Performer.name, Performer.id).where(Performer.name.in_(wanted))
        )
        ids = dict(tuple(row) for row in rows)
        return [ids[name] for name in wanted]


@paired(performers_by_name, N)
async def a_helper_for_each_name(world: World) -> list[int]:
    async def find(session: AsyncSession, name: str) -> Performer:
        query = select(Performer).where(Performer.name == name)
        return (await session.exec(query)).scalar_one()  # waste

    async with AsyncSession(world.garage) as session:
        found = [await find(session, f"performer {n}") for n in (2, 4, 6, 8)]
        return [each.id for each in found]
