"""Programs in SQLModel by aiosqlite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.orm import joinedload, lazyload, selectinload
from sqlmodel import Session, SQLModel, col, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.profiling.corpus.airline.garage import (
    Dealer,
    Owner,
    Part,
    Setting,
    Slot,
    Vehicle,
    Visit,
    Workshop,
)
from tests.profiling.corpus.cases import N, fine
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World


class VehicleShown(SQLModel):
    plate: str


class OwnerShown(SQLModel):
    name: str
    vehicles: list[VehicleShown]


async def shown_with_vehicles(world: World) -> list[OwnerShown]:
    async with AsyncSession(world.garage) as session:
        owners = await session.exec(select(Owner).options(selectinload(Owner.vehicles)))
        return [OwnerShown.model_validate(owner) for owner in owners]


@paired(shown_with_vehicles, (N, "Owner.vehicles"))
async def a_response_model_reads(world: World) -> list[OwnerShown]:
    def shown(session: Session) -> list[OwnerShown]:
        owners = session.exec(select(Owner)).all()
        return [OwnerShown.model_validate(owner) for owner in owners]  # waste

    async with AsyncSession(world.garage) as session:
        return await session.run_sync(shown)


async def permits_joined(world: World) -> list[str]:
    async with AsyncSession(world.garage) as session:
        vehicles = await session.exec(select(Vehicle).options(joinedload(Vehicle.permit)))
        return [vehicle.permit.zone for vehicle in vehicles]


@paired(permits_joined, (N, "Vehicle.permit"))
async def the_other_side_of_one_to_one(world: World) -> list[str]:
    def zones(session: Session) -> list[str]:
        vehicles = session.exec(select(Vehicle)).all()
        return [vehicle.permit.zone for vehicle in vehicles]  # waste

    async with AsyncSession(world.garage) as session:
        return await session.run_sync(zones)


def staff(workshops: list[Workshop]) -> list[tuple[str, int, int]]:
    return [
        (each.name, sum(lift.tons for lift in each.lifts), len({m.name for m in each.mechanics}))
        for each in workshops
    ]


async def lifts_and_mechanics_apart(world: World) -> list[tuple[str, int, int]]:
    async with AsyncSession(world.garage) as session:
        options = selectinload(Workshop.lifts), selectinload(Workshop.mechanics)
        return staff([*await session.exec(select(Workshop).options(*options))])


@paired(lifts_and_mechanics_apart, ("cartesian-product", "Workshop.lifts"))
async def joined_twice_by_default(world: World) -> list[tuple[str, int, int]]:
    async with AsyncSession(world.garage) as session:
        workshops = (await session.exec(select(Workshop))).unique()  # waste
        return staff([*workshops])


async def dealers_without_brands(world: World) -> list[str]:
    async with AsyncSession(world.garage) as session:
        query = select(Dealer).options(lazyload(Dealer.brands))
        return [dealer.name for dealer in await session.exec(query)]


@paired(dealers_without_brands, ("unused-eager-load", "Dealer.brands"))
async def selected_in_by_default(world: World) -> list[str]:
    async with AsyncSession(world.garage) as session:
        return [dealer.name for dealer in await session.exec(select(Dealer))]  # waste


LINES = [f"P-{n:02};{n}" for n in range(3, 11)]


async def parts_at_once(world: World) -> int:
    amounts = {sku: int(number) for sku, number in (line.split(";") for line in LINES)}
    async with AsyncSession(world.garage) as session:
        parts = await session.exec(select(Part).where(col(Part.sku).in_(amounts)))
        return sum(part.price * amounts[part.sku] for part in parts)


@paired(parts_at_once, N)
async def a_part_for_each_line(world: World) -> int:
    total = 0
    async with AsyncSession(world.garage) as session:
        for line in LINES:
            sku, number = line.split(";")
            part = (await session.exec(select(Part).where(Part.sku == sku))).one()  # waste
            total += part.price * int(number)
    return total


async def rate(session: AsyncSession) -> int:
    return (await session.exec(select(Setting.value).where(Setting.key == "setting 3"))).one()


async def rate_once(world: World) -> int:
    async with AsyncSession(world.garage) as session:
        percent = await rate(session)
        parts = (await session.exec(select(Part).where(Part.price < 12))).all()
        return sum(part.price * percent for part in parts)


@paired(rate_once, "duplicate-statement")
async def rate_for_each_part(world: World) -> int:
    async with AsyncSession(world.garage) as session:
        parts = (await session.exec(select(Part).where(Part.price < 12))).all()
        total = 0
        for part in parts:
            total += part.price * await rate(session)
        return total


async def slots_by_their_keys(world: World) -> list[bool]:
    async with AsyncSession(world.garage) as session:
        visits = (await session.exec(select(Visit))).all()
        keys = [(visit.day, visit.bay) for visit in visits]
        query = select(Slot).where(tuple_(Slot.day, Slot.bay).in_(keys))
        slots = {(slot.day, slot.bay): slot for slot in await session.exec(query)}
        return [slots[key].taken for key in keys]


@paired(slots_by_their_keys, N)
async def slot_of_each_visit(world: World) -> list[bool]:
    taken = []
    async with AsyncSession(world.garage) as session:
        for visit in (await session.exec(select(Visit))).all():
            slot = await session.get_one(Slot, (visit.day, visit.bay))  # waste
            taken.append(slot.taken)
    return taken


@fine
async def three_requests_that_create(world: World) -> list[str]:
    async def create(name: str) -> OwnerShown:
        async with AsyncSession(world.garage) as session:
            owner = Owner(name=name)
            session.add(owner)
            await session.commit()
            await session.refresh(owner, ["id", "name", "vehicles"])
            shown = OwnerShown.model_validate(owner)
            await session.delete(owner)
            await session.commit()
            return shown

    return [(await create(name)).name for name in ("x", "y", "z")]


@fine
async def two_unique_fields_checked(world: World) -> list[bool]:
    async with AsyncSession(world.garage) as session:
        taken = []
        for model, column, value in ((Owner, Owner.name, "a"), (Vehicle, Vehicle.plate, "b")):
            query = select(model).where(column == value).limit(1)
            taken.append((await session.exec(query)).first() is not None)
        return taken


@fine
async def parents_from_the_identity_map(world: World) -> list[str]:
    def names(session: Session) -> list[str]:
        owners = session.exec(select(Owner)).all()
        vehicles = session.exec(select(Vehicle)).all()
        return [f"{each.owner.name} of {len(owners)}: {each.plate}" for each in vehicles]

    async with AsyncSession(world.garage) as session:
        return await session.run_sync(names)
