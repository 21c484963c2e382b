"""A festival: acts on stages, tickets, notes on anything, venues with a wide plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Text, UniqueConstraint, and_
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, mapped_column, relationship

from tests.profiling.numbered import Numbered

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Festival(DeclarativeBase):
    pass


class Venue(Numbered, Festival):
    city: Mapped[str]
    plan: Mapped[str] = mapped_column(Text)


class Stage(Numbered, Festival):
    name: Mapped[str]
    venue_id: Mapped[int] = mapped_column(ForeignKey("venue.id"))
    venue: Mapped[Venue] = relationship()


class Act(Numbered, Festival):
    name: Mapped[str]
    slug: Mapped[str]
    shows: Mapped[list[Show]] = relationship(back_populates="act", order_by="Show.id")
    remarks: Mapped[list[Remark]] = relationship(
        primaryjoin=lambda: and_(foreign(Remark.object_id) == Act.id, Remark.kind == "act"),
        viewonly=True,
        order_by="Remark.id",
    )


class Show(Numbered, Festival):
    title: Mapped[str]
    day: Mapped[int]
    sold: Mapped[int]
    act_id: Mapped[int] = mapped_column(ForeignKey("act.id"))
    stage_id: Mapped[int] = mapped_column(ForeignKey("stage.id"))
    act: Mapped[Act] = relationship(back_populates="shows")
    stage: Mapped[Stage] = relationship()
    tickets: Mapped[list[Ticket]] = relationship(back_populates="show")


class Ticket(Numbered, Festival):
    code: Mapped[str]
    price: Mapped[int]
    show_id: Mapped[int] = mapped_column(ForeignKey("show.id"))
    show: Mapped[Show] = relationship(back_populates="tickets")


class Remark(Numbered, Festival):
    kind: Mapped[str]
    object_id: Mapped[int]
    body: Mapped[str]


class Subscriber(Numbered, Festival):
    __table_args__ = (UniqueConstraint("email"),)
    email: Mapped[str]


def fill_festival(connection: Connection) -> None:
    """Store 8 venues of 5 stages, and 12 acts of 4 shows of 3 tickets."""
    with Session(connection) as session:
        session.add_all(Venue(id=n, city=f"city {n}", plan="x" * 20_000) for n in range(1, 9))
        session.add_all(Stage(id=n, name=f"s{n}", venue_id=n % 8 + 1) for n in range(1, 41))
        session.add_all(Act(id=n, name=f"act {n}", slug=f"a{n:02}") for n in range(1, 13))
        session.flush()
        for n in range(1, 49):
            act = n % 12 + 1
            show = Show(id=n, title=f"show {n}", day=n % 7, sold=n * 37 % 100, act_id=act)
            show.stage_id = n % 40 + 1
            show.tickets = [Ticket(code=f"a{act:02}-{n}-{k}", price=20 + k) for k in range(3)]
            session.add(show)
        session.add_all(
            Remark(kind=kind, object_id=n, body=f"{kind} {n}")
            for kind in ("act", "show")
            for n in range(1, 13)
        )
        session.commit()
