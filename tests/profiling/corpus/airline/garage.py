"""A garage in SQLModel, for SQLite by aiosqlite: owners, vehicles and their visits."""

from sqlalchemy import Connection
from sqlmodel import Field, Relationship, Session, SQLModel


class Garage(SQLModel):
    pass


class Owner(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    vehicles: list["Vehicle"] = Relationship(back_populates="owner")


class Vehicle(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    plate: str
    owner_id: int = Field(foreign_key="owner.id")
    owner: Owner = Relationship(back_populates="vehicles")
    permit: "Permit" = Relationship(
        back_populates="vehicle", sa_relationship_kwargs={"uselist": False}
    )


class Permit(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    zone: str
    vehicle_id: int = Field(foreign_key="vehicle.id", unique=True)
    vehicle: Vehicle = Relationship(back_populates="permit")


class Workshop(Garage, table=True):
    """Its collections are joined by default."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    lifts: list["Lift"] = Relationship(sa_relationship_kwargs={"lazy": "joined"})
    mechanics: list["Mechanic"] = Relationship(sa_relationship_kwargs={"lazy": "joined"})


class Lift(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    tons: int
    workshop_id: int = Field(foreign_key="workshop.id")


class Mechanic(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    workshop_id: int = Field(foreign_key="workshop.id")


class Dealer(Garage, table=True):
    """Its brands are selected in by default."""

    id: int | None = Field(default=None, primary_key=True)
    name: str
    brands: list["Brand"] = Relationship(sa_relationship_kwargs={"lazy": "selectin"})


class Brand(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    dealer_id: int = Field(foreign_key="dealer.id")


class Part(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    sku: str = Field(unique=True)
    price: int


class Slot(Garage, table=True):
    day: int = Field(primary_key=True)
    bay: int = Field(primary_key=True)
    taken: bool = False


class Visit(Garage, table=True):
    id: int | None = Field(default=None, primary_key=True)
    day: int
    bay: int


class Setting(Garage, table=True):
    key: str = Field(primary_key=True)
    value: int


def fill_garage(connection: Connection) -> None:
    """Store 12 owners of 3 vehicles with a permit each, 4 workshops, 12 dealers, 30 parts."""
    with Session(connection) as session:
        session.add_all(Setting(key=f"setting {n}", value=n) for n in range(5))
        session.add_all(Part(sku=f"P-{n:02}", price=5 + n) for n in range(30))
        session.add_all(
            Slot(day=day, bay=bay, taken=bay == 2) for day in range(6) for bay in range(4)
        )
        session.add_all(Visit(day=n % 6, bay=n % 4) for n in range(12))
        for n in range(12):
            owner = Owner(name=f"owner {n}")
            for k in range(3):
                vehicle = Vehicle(plate=f"V-{n}-{k}", owner=owner)
                vehicle.permit = Permit(zone=f"zone {k}")
            session.add(owner)
            session.add(
                Dealer(name=f"dealer {n}", brands=[Brand(name=f"brand {n}.{k}") for k in (1, 2)])
            )
        for n in range(4):
            lifts = [Lift(tons=k) for k in range(5)]
            mechanics = [Mechanic(name=f"mechanic {n}.{k}") for k in range(6)]
            session.add(Workshop(name=f"workshop {n}", lifts=lifts, mechanics=mechanics))
        session.commit()
