"""The fields of SQLModel's tables are columns: amounts and moments in them are judged as such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.policy.project import findings_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
import datetime as dt
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Optional

import sqlalchemy as sa
from pydantic import PositiveFloat
from sqlalchemy import Column, DateTime, Float, ForeignKey, Numeric
from sqlmodel import Field, Relationship, SQLModel
from sqlmodel import Column as C, Float as F

ZERO = 0.0
Price = float
Exact = Annotated[float, Field(sa_type=Numeric(12, 2))]
Inexact = Annotated[Decimal, Field(sa_type=Float)]
"""
FLOATS = [
    "price: float = 0.0",
    "price: float",
    "price: float | None = Field(default=None)",
    "price: Optional[float] = None",
    'price: "float | None" = None',
    "price: Annotated[float, Field(gt=0)]",
    "price: Annotated[Optional[float], Field(gt=0)] = None",
    "price: PositiveFloat",
    "price: Price",
    "price: Inexact",
    "price: float = Field(ZERO)",
    "price: float = ZERO",
    "price: float = Field(sa_column=Column(Float))",
    "price: float = Field(sa_column=Column('total', sa.Float(53), nullable=False))",
    "price: float = Field(sa_column=C(F))",
    "price: Decimal = Field(sa_type=Float)",
    "price: Decimal = Field(sa_type=sa.REAL())",
    "price: Annotated[Decimal, Field(sa_column=Column(Float))]",
    "price: float = Field(sa_column=Column(nullable=False))",
    "price: float = Field(sa_column_args=(ForeignKey('a.b'),))",
    "price: float = Field(sa_column_kwargs={'comment': 'net'})",
    "x: float = Field(sa_column_kwargs={'name': 'price'})",
    "x: float = Field(sa_column=Column('price', Float))",
]
NO_FLOATS = [
    "price: Decimal",
    "price: Decimal = Field(default=0, max_digits=12, decimal_places=2)",
    "price: Decimal | None = Field(default=None, sa_type=Numeric(12, 2))",
    "price: float = Field(sa_type=Numeric(12, 2))",
    "price: float = Field(sa_column=Column(Numeric(12, 2)))",
    "price: float = Field(sa_column=made_elsewhere)",
    "price: Exact",
    "price: int = 0",
    "price: ClassVar[float] = 0.0",
    "price_ratio: float",
    "latitude: float",
    "price: float = Relationship()",
]
NAIVE = [
    "created_on: datetime",
    "created_on: dt.datetime",
    "created_on: datetime | None = Field(default=None)",
    "created_on: Optional[datetime] = None",
    "created_on: datetime = Field(default_factory=datetime.utcnow)",
    "created_on: datetime = Field(sa_type=DateTime)",
    "created_on: datetime = Field(sa_type=DateTime(timezone=False))",
    "created_on: datetime = Field(sa_column=Column(DateTime, nullable=False))",
    "created_on: datetime = Field(sa_column_kwargs={'server_default': 'now()'})",
]
AWARE = [
    "created_on: datetime = Field(sa_type=DateTime(timezone=True))",
    "created_on: datetime | None = Field(sa_column=Column(DateTime(timezone=True)))",
    "created_on: datetime = Field(sa_column=Column(sa.TIMESTAMP(timezone=True)))",
    "created_on: datetime = Field(sa_type=UtcDateTime)",
    "created_on: Annotated[datetime, Field(sa_type=DateTime(timezone=True))]",
    "created_on: date",
]


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [("exact-money", FLOATS, NO_FLOATS), ("aware-datetimes", NAIVE, AWARE)],
)
def test_a_field_of_a_table_is_a_column(
    rule: str, bad: list[str], good: list[str], tmp_path: Path
) -> None:
    tables = [
        f"class A{number}(SQLModel, table=True):\n    {field}\n"
        for number, field in enumerate([*bad, *good])
    ]
    # A map of the project's own is not asked: SQLModel reads none.
    own = "from sqlalchemy.orm import DeclarativeBase\nclass Other(DeclarativeBase):\n"
    own += "    type_annotation_map = {float: Numeric, datetime: DateTime(timezone=True)}\n"
    findings = findings_of(tmp_path, {"app/models.py": HEAD + own + "".join(tables)}, rule)
    assert [finding.message.split(".")[0] for finding in findings] == [
        f"A{number}" for number in range(len(bad))
    ]


def test_a_schema_counts_where_a_table_inherits_it(tmp_path: Path) -> None:
    text = """\
class HeroBase(SQLModel):
    price: float
    fee: float
    sent_at: datetime
class Hero(HeroBase, table=True):
    fee: Decimal
class HeroCreate(HeroBase):
    amount: float
class Alone(SQLModel):
    price: float
    sent_at: datetime
class Plain:
    price: float
class Mixed(Plain, HeroBase, table=True): ...
"""
    once = text.replace("class Mixed(Plain, HeroBase, table=True): ...\n", "")
    money = findings_of(tmp_path, {"app/models.py": HEAD + once}, "exact-money")
    assert [finding.message.split()[0] for finding in money] == ["HeroBase.price"]
    money = findings_of(tmp_path, {"app/models.py": HEAD + text}, "exact-money")
    assert [each.message.split()[0] for each in money] == ["HeroBase.price", "HeroBase.fee"]
    (moment,) = findings_of(tmp_path, {"app/models.py": HEAD + text}, "aware-datetimes")
    assert moment.message.split()[0] == "HeroBase.sent_at"
