"""Programs by asyncpg."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import aliased, selectinload

from tests.profiling.corpus.airline.schema import Aircraft, Bag, Booking, Flight, Steward
from tests.profiling.corpus.cases import fine
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tests.profiling.corpus.cases import World

N, UNUSED, PRODUCT = "n-plus-one", "unused-eager-load", "cartesian-product"


async def bases_with_their_stewards(world: World) -> list[str]:
    async with world.sessions() as session:
        loader = selectinload(Flight.stewards).selectinload(Steward.base)
        flights = await session.scalars(select(Flight).options(loader))
        return [steward.base.code for flight in flights for steward in flight.stewards]


@paired(bases_with_their_stewards, (N, "Steward.base"))
async def below_a_many_to_many(world: World) -> list[str]:
    def codes(session: Session) -> list[str]:
        flights = session.scalars(select(Flight).options(selectinload(Flight.stewards)))
        stewards = [steward for flight in flights for steward in flight.stewards]
        return [steward.base.code for steward in stewards]  # waste

    async with world.sessions() as session:
        return await session.run_sync(codes)


async def aliased_with_a_loader(world: World) -> list[str]:
    late = aliased(Flight)
    async with world.sessions() as session:
        query = select(late).where(late.status == "late").options(selectinload(late.aircraft))
        return [flight.aircraft.tail for flight in await session.scalars(query)]


@paired(aliased_with_a_loader, (N, "Flight.aircraft"))
async def aliased_parents(world: World) -> list[str]:
    def tails(session: Session) -> list[str]:
        late = aliased(Flight)
        query = select(late).where(late.status == "late")
        return [flight.aircraft.tail for flight in session.scalars(query)]  # waste

    async with world.sessions() as session:
        return await session.run_sync(tails)


async def closed_with_their_bookings(world: World) -> list[int]:
    async with world.sessions() as session:
        statement = update(Flight).where(Flight.id <= 9).values(status="closed").returning(Flight)
        flights = await session.scalars(statement.options(selectinload(Flight.bookings)))
        return [booking.fare for flight in flights for booking in flight.bookings]


@paired(closed_with_their_bookings, (N, "Flight.bookings"))
async def returned_by_an_update(world: World) -> list[int]:
    def fares(session: Session) -> list[int]:
        statement = update(Flight).where(Flight.id <= 9).values(status="closed").returning(Flight)
        flights = session.scalars(statement).all()
        return [booking.fare for flight in flights for booking in flight.bookings]  # waste

    async with world.sessions() as session:
        return await session.run_sync(fares)


async def bags_of_flights_deleted_at_once(world: World) -> int:
    async with world.sessions() as session:
        ids = select(Booking.id).where(Booking.flight_id < 5)
        result = await session.execute(delete(Bag).where(Bag.booking_id.in_(ids)))
        return result.rowcount


@paired(bags_of_flights_deleted_at_once, N)
async def deleted_by_text(world: World) -> int:
    count = 0
    async with world.sessions() as session:
        ids = await session.scalars(select(Booking.id).where(Booking.flight_id < 5))
        for booking_id in ids.all():
            statement = text("DELETE FROM bag WHERE booking_id = :booking")
            result = await session.execute(statement, {"booking": booking_id})  # waste
            count += result.rowcount
    return count


async def three_tables_joined(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Flight.number, Booking.seat, Aircraft.tail)
        query = query.join(Flight.bookings).join(Flight.aircraft).where(Aircraft.id < 4)
        return [f"{number} {seat} {tail}" for number, seat, tail in await session.execute(query)]


@paired(three_tables_joined, PRODUCT)
async def two_of_three_tables_joined(world: World) -> list[str]:
    columns = (Flight.number, Booking.seat, Aircraft.tail, Flight.aircraft_id, Aircraft.id)
    query = select(*columns).where(Booking.flight_id == Flight.id, Aircraft.id < 4)
    async with world.sessions() as session:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SAWarning)
            rows = (await session.execute(query)).all()  # waste
    return [f"{number} {seat} {tail}" for number, seat, tail, of, key in rows if of == key]


async def got_alone(world: World) -> str:
    async with world.sessions() as session:
        return (await session.get_one(Aircraft, 3)).tail


@paired(got_alone, (UNUSED, "Aircraft.flights"))
async def options_of_get_never_read(world: World) -> str:
    async with world.sessions() as session:
        options = [selectinload(Aircraft.flights)]
        aircraft = await session.get_one(Aircraft, 3, options=options)  # waste
        return aircraft.tail


@fine
async def absent_parents_eagerly(world: World) -> list[str]:
    async with world.sessions() as session:
        flights = await session.scalars(select(Flight).options(selectinload(Flight.diverted)))
        return [flight.diverted.code if flight.diverted else "" for flight in flights]


@fine
async def two_paths_to_equal_airports(world: World) -> list[str]:
    async with world.sessions() as session:
        origin, destination = selectinload(Flight.origin), selectinload(Flight.destination)
        bases = selectinload(Flight.stewards).selectinload(Steward.base)
        flights = await session.scalars(select(Flight).options(origin, destination, bases))
        return [
            f"{flight.origin.code}-{flight.destination.code}: {steward.base.code}"
            for flight in flights
            for steward in flight.stewards
        ]


@fine
async def advisory_locks_in_order(world: World) -> int:
    async with world.sessions() as session:
        for key in sorted((931, 905, 917)):
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        return await session.scalar(select(Flight.id).where(Flight.number == "F1")) or 0
