"""Programs by psycopg, without async."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from jinja2 import Template
from sqlalchemy import func, insert, inspect, select, text
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from tests.profiling.corpus.airline.schema import Aircraft, Airport, Bag, Booking, Flight
from tests.profiling.corpus.cases import N, fine
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World


async def both_airports_at_once(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Flight).options(joinedload(Flight.origin), joinedload(Flight.destination))
        return [f"{each.origin.code}-{each.destination.code}" for each in session.scalars(query)]


@paired(both_airports_at_once, (N, "Flight.destination"))
async def second_of_two_airports(world: World) -> list[str]:
    with Session(world.server) as session:
        flights = session.scalars(select(Flight).options(joinedload(Flight.origin))).all()
        return [f"{each.origin.code}-{each.destination.code}" for each in flights]  # waste


async def bookings_of_a_statement_of_its_own(world: World) -> list[str]:
    query = select(Flight).from_statement(text("SELECT * FROM flight WHERE status = 'late'"))
    with Session(world.server) as session:
        flights = session.scalars(query.options(selectinload(Flight.bookings)))
        return [booking.seat for flight in flights for booking in flight.bookings]


@paired(bookings_of_a_statement_of_its_own, (N, "Flight.bookings"))
async def from_a_statement_of_text(world: World) -> list[str]:
    query = select(Flight).from_statement(text("SELECT * FROM flight WHERE status = 'late'"))
    with Session(world.server) as session:
        flights = session.scalars(query).all()
        return [booking.seat for flight in flights for booking in flight.bookings]  # waste


def as_dict(thing: Any, *names: str) -> dict[str, Any]:
    """Return columns, and objects that are named, of anything that is mapped."""
    mapper = inspect(type(thing))
    columns = {each.key: getattr(thing, each.key) for each in mapper.column_attrs}
    return columns | {name: as_dict(getattr(thing, name)) for name in names}


async def serialised_with_aircraft(world: World) -> list[dict[str, Any]]:
    with Session(world.server) as session:
        query = select(Flight).options(joinedload(Flight.aircraft)).where(Flight.id < 25)
        return [as_dict(flight, "aircraft") for flight in session.scalars(query)]


@paired(serialised_with_aircraft, (N, "Flight.aircraft"))
async def serialised_by_reflection(world: World) -> list[dict[str, Any]]:
    with Session(world.server) as session:
        flights = session.scalars(select(Flight).where(Flight.id < 25)).all()
        return [as_dict(flight, "aircraft") for flight in flights]


BOARD = Template("{% for f in flights %}{{ f.number }} {{ f.aircraft.airframe.name }};{% endfor %}")


async def board_at_once(world: World) -> str:
    with Session(world.server) as session:
        query = select(Flight).options(joinedload(Flight.aircraft).joinedload(Aircraft.airframe))
        return BOARD.render(flights=session.scalars(query.order_by(Flight.id)).all())


@paired(board_at_once, (N, "Flight.aircraft"), (N, "Aircraft.airframe"))
async def two_levels_in_a_template(world: World) -> str:
    with Session(world.server) as session:
        flights = session.scalars(select(Flight).order_by(Flight.id)).all()
        return BOARD.render(flights=flights)  # waste


async def numbers_and_status_loaded(world: World) -> list[str]:
    loader = selectinload(Aircraft.flights).load_only(Flight.number, Flight.status)
    with Session(world.server) as session:
        aircraft = session.scalars(select(Aircraft).options(loader)).all()
        return [f"{flight.number} {flight.status}" for each in aircraft for flight in each.flights]


@paired(numbers_and_status_loaded, N)
async def column_that_load_only_left_out(world: World) -> list[str]:
    loader = selectinload(Aircraft.flights).load_only(Flight.number)
    with Session(world.server) as session:
        aircraft = session.scalars(select(Aircraft).options(loader)).all()
        flights = [flight for each in aircraft for flight in each.flights]
        return [f"{flight.number} {flight.status}" for flight in flights]  # waste


CODES = ["A03", "A05", "A08", "A11", "A13", "A17", "A19"]


async def cities_of_codes_at_once(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Airport.code, Airport.city).where(Airport.code.in_(CODES))
        cities = dict(tuple(row) for row in session.execute(query))
        return [cities[code] for code in CODES]


@paired(cities_of_codes_at_once, N)
async def submitted_for_each_code(world: World) -> list[str]:
    def city(code: str) -> str:
        with Session(world.server) as session:
            query = select(Airport.city).where(Airport.code == code)
            return session.scalars(query).one()  # waste

    with ThreadPoolExecutor(2) as pool:
        futures = {code: pool.submit(city, code) for code in CODES}
        return [futures[code].result() for code in CODES]


async def bags_by_a_list(world: World) -> int:
    with world.server.connect() as connection:
        values = [{"kilograms": weight} for weight in range(20, 32)]
        connection.execute(insert(Bag), values)
        return len(values)


@paired(bags_by_a_list, N)
async def insert_by_core_of_each(world: World) -> int:
    count = 0
    with world.server.connect() as connection:
        for weight in range(20, 32):
            connection.execute(insert(Bag).values(kilograms=weight))  # waste
            count += 1
    return count


@fine
async def flights_without_bookings(world: World) -> int:
    with Session(world.server) as session:
        query = select(Flight).outerjoin(Flight.bookings).where(Booking.id.is_(None))
        return len(session.scalars(query.options(contains_eager(Flight.bookings))).unique().all())


@fine
async def seen_alone_before_the_list(world: World) -> list[str]:
    with Session(world.server) as session:
        first = session.get_one(Flight, 7)
        codes = [first.origin.code]
        flights = session.scalars(select(Flight).options(joinedload(Flight.origin))).all()
        return codes + [flight.origin.code for flight in flights]


@fine
async def only_where_it_is_late(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Flight).options(selectinload(Flight.aircraft)).where(Flight.id < 30)
        return [each.aircraft.tail for each in session.scalars(query) if each.number == "F9"]


@fine
async def totals_of_different_things(world: World) -> list[int]:
    with Session(world.server) as session:
        fares = session.scalar(select(func.sum(Booking.fare))) or 0
        weight = session.scalar(select(func.sum(Bag.kilograms))) or 0
        flights = session.scalar(select(func.count(Flight.id))) or 0
        return [fares > 0, weight > 0, flights]
