"""Music in SQLModel, for SQLite by aiosqlite: performers, tracks and playlists."""

from sqlalchemy import Connection
from sqlmodel import Field, Relationship, Session, SQLModel


class PlaylistTrack(SQLModel, table=True):
    playlist_id: int | None = Field(default=None, foreign_key="playlist.id", primary_key=True)
    track_id: int | None = Field(default=None, foreign_key="track.id", primary_key=True)


class Performer(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    tracks: list["Track"] = Relationship(back_populates="performer")


class Track(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    performer_id: int = Field(foreign_key="performer.id")
    performer: Performer = Relationship(back_populates="tracks")
    playlists: list["Playlist"] = Relationship(back_populates="tracks", link_model=PlaylistTrack)


class Playlist(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    tracks: list[Track] = Relationship(back_populates="playlists", link_model=PlaylistTrack)


class Scrobble(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    line: str


def fill_music(connection: Connection) -> None:
    """Store 9 performers of 4 tracks, and 6 playlists of 6 tracks."""
    with Session(connection) as session:
        tracks = []
        for n in range(1, 10):
            mine = [Track(name=f"track {n}.{k}") for k in range(4)]
            session.add(Performer(id=n, name=f"performer {n}", tracks=mine))
            tracks += mine
        for n in range(6):
            chosen = [tracks[(n * 5 + k * 7) % 36] for k in range(6)]
            session.add(Playlist(name=f"playlist {n}", tracks=chosen))
        session.commit()
