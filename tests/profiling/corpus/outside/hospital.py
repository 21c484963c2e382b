"""A hospital: joined, single and concrete inheritance, dataclasses, write-only collections."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, ForeignKey
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.ext.declarative import ConcreteBase
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    WriteOnlyMapped,
    mapped_column,
    relationship,
)

from tests.profiling.numbered import Numbered, association


class Hospital(AsyncAttrs, DeclarativeBase):
    pass


treats = association(Hospital, "treats", "doctor", "patient")


class Person(Hospital):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "person"}


class Doctor(Person):
    __tablename__ = "doctor"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    field: Mapped[str]
    patients: Mapped[list[Patient]] = relationship(secondary=treats, back_populates="doctors")
    __mapper_args__ = {"polymorphic_identity": "doctor"}


class Patient(Person):
    __tablename__ = "patient"
    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    blood: Mapped[str]
    ward_id: Mapped[int] = mapped_column(ForeignKey("ward.id"))
    doctors: Mapped[list[Doctor]] = relationship(secondary=treats, back_populates="patients")
    ward: Mapped[Ward] = relationship(back_populates="patients")
    events: Mapped[list[Event]] = relationship(back_populates="patient")
    __mapper_args__ = {"polymorphic_identity": "patient"}


class Ward(Numbered, Hospital):
    name: Mapped[str]
    patients: Mapped[list[Patient]] = relationship(back_populates="ward")
    devices: WriteOnlyMapped[Gauge] = relationship()


class Gauge(Numbered, Hospital):
    ward_id: Mapped[int] = mapped_column(ForeignKey("ward.id"))
    value: Mapped[int]


class Event(Hospital):
    """Admissions and discharges in one table."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"))
    patient: Mapped[Patient] = relationship(back_populates="events")
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "event"}


class Admission(Event):
    reason: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "admission"}


class Discharge(Event):
    letter: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "discharge"}


class Maker(Numbered, Hospital):
    name: Mapped[str]


class Device(ConcreteBase, Hospital):
    __tablename__ = "device"
    id: Mapped[int] = mapped_column(primary_key=True)
    maker_id: Mapped[int] = mapped_column(ForeignKey("maker.id"))
    maker: Mapped[Maker] = relationship()
    __mapper_args__: Any = {"polymorphic_identity": "device", "concrete": True}


class Pump(Device):
    __tablename__ = "pump"
    id: Mapped[int] = mapped_column(primary_key=True)
    maker_id: Mapped[int] = mapped_column(ForeignKey("maker.id"))
    rate: Mapped[int]
    maker: Mapped[Maker] = relationship()
    __mapper_args__ = {"polymorphic_identity": "pump", "concrete": True}


class Recipe(MappedAsDataclass, Hospital):
    __tablename__ = "recipe"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    title: Mapped[str]
    doses: Mapped[list[Dose]] = relationship(default_factory=list, repr=False)


class Dose(MappedAsDataclass, Hospital):
    __tablename__ = "dose"
    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    recipe_id: Mapped[int] = mapped_column(ForeignKey("recipe.id"), init=False)
    amount: Mapped[int]


def fill_hospital(connection: Connection) -> None:
    """Store 12 wards, 36 patients, 9 doctors, 72 events, devices and recipes."""
    with Session(connection) as session:
        _add(session)
        session.commit()


def _add(session: Session) -> None:
    session.add_all(Maker(id=n, name=f"maker {n}") for n in range(1, 13))
    session.add_all(Ward(id=n, name=f"ward {n}") for n in range(1, 13))
    doctors = [Doctor(name=f"doctor {n}", field="bones") for n in range(9)]
    patients = [Patient(name=f"patient {n}", blood="0", ward_id=n % 12 + 1) for n in range(36)]
    for n, patient in enumerate(patients):
        patient.doctors = [doctors[n % 9], doctors[(n + 1) % 9]]
        patient.events = [Admission(reason="fall"), Discharge(letter="well")]
    session.add_all([*doctors, *patients])
    session.add_all(Gauge(ward_id=n % 12 + 1, value=n) for n in range(120))
    session.add_all(Device(id=n, maker_id=n) for n in range(1, 7))
    session.add_all(Pump(id=n, maker_id=n, rate=n) for n in range(7, 13))
    session.add_all(
        Recipe(title=f"recipe {n}", doses=[Dose(amount=k) for k in range(3)]) for n in range(15)
    )
