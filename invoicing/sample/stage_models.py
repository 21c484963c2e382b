"""The models of the stage: one single object and two collections beside each other."""

from __future__ import annotations

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship

from invoicing.db.base import NAMING_CONVENTION, Base, TimeStampedMixin


class StageBase(Base):
    """The base of the stage's models: their tables are none of the migrations'."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Country(TimeStampedMixin, StageBase):
    """Where customers are; few for many."""

    __tablename__ = "stage_country"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    customers: Mapped[list[Customer]] = relationship(back_populates="country", lazy="raise")


class Customer(TimeStampedMixin, StageBase):
    """A parent with one country, and so many orders as `orders_each` says."""

    __tablename__ = "stage_customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    address: Mapped[str]
    orders_each: Mapped[int] = mapped_column(index=True)
    country_id: Mapped[int] = mapped_column(ForeignKey("stage_country.id"))
    country: Mapped[Country] = relationship(back_populates="customers", lazy="raise")
    orders: Mapped[list[Order]] = relationship(back_populates="customer", lazy="raise")
    notes: Mapped[list[Note]] = relationship(back_populates="customer", lazy="raise")


class Order(TimeStampedMixin, StageBase):
    """One of a customer's orders."""

    __tablename__ = "stage_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("stage_customer.id"), index=True)
    customer: Mapped[Customer] = relationship(back_populates="orders", lazy="raise")


class Note(TimeStampedMixin, StageBase):
    """One of the notes about a customer."""

    __tablename__ = "stage_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    customer_id: Mapped[int] = mapped_column(ForeignKey("stage_customer.id"), index=True)
    customer: Mapped[Customer] = relationship(back_populates="notes", lazy="raise")
