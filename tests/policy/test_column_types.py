"""What a column holds: by itself, by Annotated and other aliases, by the map of a base."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from tests.policy.project import findings_of

if TYPE_CHECKING:
    from pathlib import Path

TYPES = """
from datetime import datetime
from decimal import Decimal
from typing import Annotated, NewType, Optional, TypeAlias

from sqlalchemy import DateTime, Float, Numeric
from sqlalchemy.orm import mapped_column

Money = Annotated[float, mapped_column(Float)]
Bare = Annotated[float, "an amount"]
Plain = float
Again = Money
Optionally = Optional[Money]
Named: TypeAlias = Annotated[Decimal, mapped_column(Float(53))]
type Newer = Annotated[float, mapped_column(Float)]
New = NewType("New", float)
Exact = Annotated[float, mapped_column(Numeric(12, 2))]
Cents = Annotated[int, mapped_column()]
Circle = Circle

Stamp = Annotated[datetime, mapped_column(DateTime(timezone=False))]
Moment = Annotated[datetime, mapped_column(DateTime)]
When = NewType("When", datetime)
Aware = Annotated[datetime, mapped_column(DateTime(timezone=True))]
"""
HEAD = """
from typing import Annotated
from sqlalchemy import DateTime, Float, Numeric
from app.base import Base, Mapped, TimeStampedMixin, mapped_column
from app.types import *
from app.types import Money as Amount
from app import types as t
from datetime import datetime
"""
FLOATS = [
    "Money", "Bare", "Plain", "Again", "Optionally", "Named", "Newer", "New", "Amount", "t.Money",
    "Money | None", "Annotated[float, mapped_column(Float)]", '"Money"', "Annotated[Money, 1]",
]  # fmt: skip
EXACT = ["Exact", "Cents", "Circle", "t.Exact", "Annotated[float, mapped_column(Numeric)]"]
NAIVE = ["Stamp", "Moment", "When", "t.Stamp", "Annotated[datetime, mapped_column(DateTime)]"]


def models(annotations: list[str], name: str) -> str:
    lines = [
        f"class A{number}(TimeStampedMixin, Base):\n    __tablename__ = 'a{number}'\n"
        f"    {name}: Mapped[{annotation}]\n"
        for number, annotation in enumerate(annotations)
    ]
    return HEAD + "\n".join(lines)


@pytest.mark.parametrize(
    ("rule", "name", "bad", "good"),
    [
        ("exact-money", "amount", FLOATS, EXACT),
        ("aware-datetimes", "sent_at", NAIVE, ["Aware", "t.Aware", "Aware | None"]),
    ],
)
def test_an_alias_is_followed_to_what_it_holds(
    rule: str, name: str, bad: list[str], good: list[str], tmp_path: Path
) -> None:
    files = {"app/types.py": TYPES, "app/models.py": models([*bad, *good], name)}
    found = {finding.message.split(".")[0] for finding in findings_of(tmp_path, files, rule)}
    assert found == {f"A{number}" for number in range(len(bad))}


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("{float: Numeric(12, 2)}", 0),
        ("{float: Numeric, int: BigInteger}", 0),
        ("{float: Float}", 1),
        ("{int: BigInteger}", 1),
        ("{Money: Numeric(12, 2)}", 0),
        ("MAP", 0),
    ],
)
def test_the_map_of_a_base_says_what_a_type_is(given: str, count: int, tmp_path: Path) -> None:
    imports = (
        "from sqlalchemy import BigInteger, Float, Numeric\nfrom app.types import Money\nMAP = {}\n"
    )
    base = base_with_map(imports, given)
    types = "from typing import NewType\nMoney = NewType('Money', float)\n"
    written = "Money" if "Money" in given else "float"
    files = {"app/types.py": types, "app/base.py": base}
    files["app/models.py"] = models([written], "amount").replace("Money as Amount", "Money")
    assert len(findings_of(tmp_path, files, "exact-money")) == count


def base_with_map(imports: str, types: str) -> str:
    return (
        f"{imports}from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
        f"class Base(DeclarativeBase):\n    type_annotation_map = {types}\n"
        "class TimeStampedMixin: ...\n"
    )


def test_a_type_of_the_projects_own_is_not_guessed_at(tmp_path: Path) -> None:
    text = """
        class Aware(TypeDecorator):
            impl = TIMESTAMP
        class A(TimeStampedMixin, Base):
            __tablename__ = "a"
            sent_at: Mapped[datetime] = mapped_column(Aware(timezone=True))
            paid_at: Mapped[datetime] = mapped_column(Aware)
            due_at: Mapped[datetime] = mapped_column("due", type_=Aware)
            kept_at: Mapped[datetime] = mapped_column(type_=Aware())
            @declared_attr
            def made_at(cls) -> MappedColumn[datetime]:
                return mapped_column(Aware)
            seen_at: Mapped[datetime]
    """
    head = "from sqlalchemy import TIMESTAMP, TypeDecorator\n"
    head += "from sqlalchemy.orm import MappedColumn, declared_attr\n"
    files = {"app/types.py": "Money = int\n", "app/models.py": HEAD + head + dedent(text)}
    (finding,) = findings_of(tmp_path, files, "aware-datetimes")
    assert finding.message.startswith("A.seen_at ")
    assert findings_of(tmp_path, files, "mapped-annotation") == []


@pytest.mark.parametrize(
    ("given", "count"), [("DateTime", 1), ("DateTime()", 1), ("DateTime(timezone=True)", 0)]
)
def test_a_map_may_be_naive(given: str, count: int, tmp_path: Path) -> None:
    imports = "from datetime import datetime\nfrom sqlalchemy import DateTime\n"
    base = base_with_map(imports, f"{{datetime: {given}}}")
    files = {"app/base.py": base, "app/models.py": models(["datetime"], "sent_at")}
    assert len(findings_of(tmp_path, files, "aware-datetimes")) == count
