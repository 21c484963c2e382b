"""An airline: flights between airports, their crews, bookings and bags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from tests.profiling.numbered import Numbered, association

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Airline(DeclarativeBase):
    pass


crews = association(Airline, "crews", "flight", "steward")


class Airport(Numbered, Airline):
    code: Mapped[str]
    city: Mapped[str]


class Airframe(Numbered, Airline):
    name: Mapped[str]


class Aircraft(Numbered, Airline):
    tail: Mapped[str]
    airframe_id: Mapped[int] = mapped_column(ForeignKey("airframe.id"))
    airframe: Mapped[Airframe] = relationship()
    flights: Mapped[list[Flight]] = relationship(back_populates="aircraft", order_by="Flight.id")


class Steward(Numbered, Airline):
    name: Mapped[str]
    base_id: Mapped[int] = mapped_column(ForeignKey("airport.id"))
    base: Mapped[Airport] = relationship()


class Flight(Numbered, Airline):
    number: Mapped[str]
    status: Mapped[str]
    notes: Mapped[str] = mapped_column(Text)
    origin_id: Mapped[int] = mapped_column(ForeignKey("airport.id"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("airport.id"))
    diverted_id: Mapped[int | None] = mapped_column(ForeignKey("airport.id"))
    aircraft_id: Mapped[int] = mapped_column(ForeignKey("aircraft.id"))
    origin: Mapped[Airport] = relationship(foreign_keys=origin_id)
    destination: Mapped[Airport] = relationship(foreign_keys=destination_id)
    diverted: Mapped[Airport | None] = relationship(foreign_keys=diverted_id)
    aircraft: Mapped[Aircraft] = relationship(back_populates="flights")
    stewards: Mapped[list[Steward]] = relationship(secondary=crews, order_by="Steward.id")
    bookings: Mapped[list[Booking]] = relationship(back_populates="flight", order_by="Booking.id")


class Booking(Numbered, Airline):
    seat: Mapped[str]
    fare: Mapped[int]
    flight_id: Mapped[int] = mapped_column(ForeignKey("flight.id"))
    flight: Mapped[Flight] = relationship(back_populates="bookings")
    bags: Mapped[list[Bag]] = relationship(order_by="Bag.id")


class Bag(Numbered, Airline):
    kilograms: Mapped[int]
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"))


def fill_airline(connection: Connection) -> None:
    """Store 20 airports, 6 airframes, 12 aircraft of 4 flights of 3 bookings, and 15 stewards."""
    with Session(connection) as session:
        session.add_all(Airport(id=n, code=f"A{n:02}", city=f"city {n % 10}") for n in range(1, 21))
        session.add_all(Airframe(id=n, name=f"frame {n}") for n in range(1, 7))
        session.flush()
        session.add_all(Aircraft(id=n, tail=f"T-{n}", airframe_id=n % 6 + 1) for n in range(1, 13))
        stewards = [Steward(id=n, name=f"steward {n}", base_id=n) for n in range(1, 16)]
        session.add_all(stewards)
        session.flush()
        for n in range(1, 49):
            flight = Flight(id=n, number=f"F{n}", status="late" if n % 3 == 0 else "planned")
            flight.notes, flight.aircraft_id = f"notes of {n}", n % 12 + 1
            flight.origin_id, flight.destination_id = n % 9 + 1, n * 7 % 11 + 10
            flight.stewards = [stewards[n % 15], stewards[(n + 4) % 15]]
            flight.bookings = [
                Booking(seat=f"{k}A", fare=90 + n + k, bags=[Bag(kilograms=10 + k)])
                for k in range(3)
            ]
            session.add(flight)
        session.commit()
