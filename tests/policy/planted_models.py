"""Faults in models and loader options as people write them, each with a clean twin."""

from __future__ import annotations

from tests.policy.planted import (
    AWARE,
    BASE,
    IN_MODELS,
    LAZY,
    MANY,
    MAPPED,
    MONEY,
    PLANTED,
    SINGLE,
    plant,
)

CLASS = 'class A(TimeStampedMixin, Base):\n    __tablename__ = "a"\n'
PLAIN = 'class A(Base):\n    __tablename__ = "a"\n'
SQLMODEL = "from sqlmodel import Field, Relationship, SQLModel\n"


def in_class(rule: str, name: str, fault: str, twin: str, before: str = "") -> None:
    """Plant a fault in a class's body."""
    bodies = (CLASS + "".join(f"    {line}\n" for line in x.splitlines()) for x in (fault, twin))
    plant(rule, name, *bodies, "", before)


in_class(
    LAZY,
    "DynamicMapped",
    "b: DynamicMapped['B'] = relationship()",
    "b: WriteOnlyMapped['B'] = relationship()",
)
in_class(
    LAZY,
    "dynamic",
    "b: Mapped[list['B']] = relationship(lazy='dynamic')",
    "b: Mapped[list['B']] = relationship(lazy='raise')",
)
for label, how in {"without lazy": "{}", "another lazy": "{'lazy': 'selectin'}"}.items():
    plant(
        LAZY,
        f"SQLModel {label}",
        f"class A(SQLModel, table=True):\n    b: 'B' = Relationship(sa_relationship_kwargs={how})",
        "class A(SQLModel, table=True):\n    b: 'B' = Relationship(sa_relationship_kwargs="
        "{'lazy': 'raise'})",
        "",
        SQLMODEL,
    )
plant(
    LAZY,
    "SQLModel by its name alone",
    "class A(SQLModel, table=True):\n    b: 'B' = Relationship(back_populates='a')",
    "HOW = {'lazy': 'raise'}\nclass A(SQLModel, table=True):\n"
    "    b: 'B' = Relationship(back_populates='a', sa_relationship_kwargs=HOW)",
    "",
    SQLMODEL,
)
RAISES = ", lazy='raise'"
WAYS = {
    "mapped imperatively": "registry().map_imperatively(A, t, "
    "properties={{'b': relationship(B{})}})",
    "set on a class": "setattr(A, 'b', relationship('B'{}))",
    "set in a loop": "for n in names:\n    setattr(A, n, relationship(n{}))",
    "added to a mapper": "A.__mapper__.add_property('b', relationship('B'{}))",
    "in a dictionary": "PROPERTIES = {{name: relationship(name{}) for name in NAMES}}",
    "for each subclass": "class M:\n    def __init_subclass__(cls, **kw):\n"
    "        cls.b = relationship('B'{})",
    "by a factory": "def many(to, **kw):\n    return relationship(to, **kw)\nclass A(Base):\n"
    "    b: Mapped['B'] = many('B'{})",
    "by a factory's own": "def many(to):\n    return relationship(to{})\nclass A(Base):\n"
    "    b: Mapped['B'] = many('B')",
    "by a lambda": "class M:\n    b = declared_attr(lambda cls: relationship('B'{}))",
}
for label, way in WAYS.items():
    plant(LAZY, label, way.format(""), way.format(RAISES))
plant(
    LAZY,
    "by a factory's default",
    "def many(to, **kw):\n    kw.setdefault('lazy', 'joined')\n    return relationship(to, **kw)\n"
    "class A(Base):\n    b: Mapped['B'] = many('B')",
    "def many(to, **kw):\n    kw.setdefault('lazy', 'raise')\n    return relationship(to, **kw)\n"
    "class A(Base):\n    b: Mapped['B'] = many('B')",
)

plant(
    BASE,
    "mapped imperatively",
    "class A:\n    pass\nregistry().map_imperatively(A, table)",
    "class A(TimeStampedMixin, Base):\n    __table__ = table",
)
plant(
    BASE,
    "SQLModel",
    "class A(SQLModel, table=True):\n    id: int = Field(primary_key=True)",
    "class A(SQLModel):\n    id: int",
    "",
    SQLMODEL,
)
plant(
    BASE,
    "a dataclass",
    "class A(MappedAsDataclass, Base):\n    __tablename__ = 'a'",
    "class A(MappedAsDataclass, TimeStampedMixin, Base):\n    __tablename__ = 'a'",
    "",
    "from sqlalchemy.orm import MappedAsDataclass\n",
)

METHOD = "async def f(self):\n    "
in_class(
    IN_MODELS,
    "awaitable_attrs",
    METHOD + "return await self.awaitable_attrs.lines",
    METHOD + "return [line for line in self.lines]",
)
in_class(
    IN_MODELS,
    "object_session",
    "def f(self):\n    return object_session(self)",
    "def f(self):\n    return self.session_of(self)",
)
in_class(
    IN_MODELS,
    "async_object_session",
    METHOD + "return await async_object_session(self).x()",
    METHOD + "return await self.x()",
)
in_class(
    IN_MODELS,
    "by inspection",
    "def f(self):\n    return inspect(self).session",
    "def f(self):\n    return inspect(self).identity",
)
in_class(
    IN_MODELS,
    "a session's write",
    "def f(self, s: AsyncSession):\n    s.add(self)",
    "def f(self, s: set):\n    s.add(self)",
    "from sqlalchemy.ext.asyncio import AsyncSession\n",
)
in_class(
    IN_MODELS,
    "a statement bound first",
    METHOD + "q = select(A)\n    return await self.s.execute(q)",
    METHOD + "q = select(A)\n    return q",
)

for label, column in {
    "a mapped_column": "name = mapped_column(String)",
    "a Column": "name = Column(String)",
    "a Column by its module": "name = sa.Column(sa.String)",
    "a relationship": "b = relationship('B', lazy='raise')",
    "a plain annotation": "name: str = mapped_column(String)",
}.items():
    known = column.partition("=")[2]
    in_class(MAPPED, label, column, f"name: Mapped[str] ={known}")
plant(
    MAPPED,
    "in a mixin",
    "class HasName:\n    name = mapped_column(String)",
    "class HasName:\n    name: Mapped[str] = mapped_column(String)\n    x = Thing(String)",
)

for label, fault, twin in (
    ("a float", "amount: Mapped[float]", "weight: Mapped[float]"),
    ("an optional float", "unit_price: Mapped[float | None]", "unit_price: Mapped[Decimal | None]"),
    (
        "Float",
        "total: Mapped[Decimal] = mapped_column(Float)",
        "total: Mapped[Decimal] = mapped_column(Numeric(12, 2))",
    ),
    ("Float()", "tax = Column(Float())", "tax = Column(Numeric(12, 2))"),
    (
        "by its module",
        "fee: Mapped[Decimal] = mapped_column(sa.Float)",
        "fee: Mapped[int] = mapped_column(sa.BigInteger)",
    ),
    (
        "double",
        "balance: Mapped[Decimal] = mapped_column(sa.Double)",
        "balance_ratio: Mapped[float] = mapped_column(sa.Double)",
    ),
    (
        "with its name first",
        "x: Mapped[Decimal] = mapped_column('cost', Float)",
        "x: Mapped[float] = mapped_column('speed', Float)",
    ),
):
    in_class(MONEY, label, fault, twin)
plant(
    MONEY,
    "in a mixin",
    "class Priced:\n    price: Mapped[float]",
    "class Priced:\n    price: float",
)
DATED = "at: Mapped[datetime] = mapped_column({})"
for label, fault, twin in (
    ("DateTime", DATED.format("DateTime"), DATED.format("DateTime(timezone=True)")),
    ("DateTime()", DATED.format("DateTime()"), DATED.format("DateTime(True)")),
    ("by its module", DATED.format("sa.DateTime"), DATED.format("sa.DateTime(timezone=True)")),
    ("TIMESTAMP", DATED.format("sa.TIMESTAMP"), DATED.format("sa.TIMESTAMP(timezone=True)")),
    (
        "timezone=False",
        DATED.format("DateTime(timezone=False)"),
        DATED.format("DateTime(timezone=True)"),
    ),
    ("a Column", "at = Column(DateTime)", "at = Column(DateTime(timezone=True))"),
    ("an annotation alone", "at: Mapped[datetime]", "at: Mapped[dt.date]"),
    (
        "an optional one",
        "at: Mapped[dt.datetime | None] = mapped_column(index=True)",
        "at: Mapped[dt.datetime] = mapped_column(DateTime(timezone=True))",
    ),
):
    in_class(AWARE, label, fault, twin)
plant(
    AWARE,
    "in a mixin",
    "class Dated:\n    created_at: Mapped[datetime]",
    "class Dated:\n    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))",
)
MAP = "from sqlalchemy.orm import DeclarativeBase\nclass Own(DeclarativeBase):\n"
plant(
    AWARE,
    "with another map of types",
    MAP + "    type_annotation_map = {int: BigInteger}\nclass A(Own):\n    __tablename__ = 'a'\n"
    "    at: Mapped[datetime]",
    MAP + "    type_annotation_map = {datetime: DateTime(timezone=True)}\nclass A(Own):\n"
    "    __tablename__ = 'a'\n    at: Mapped[datetime]",
)

for label, owner in {
    "a repository's model": "class R:\n    model = Account\n    def f(self):\n        return {}",
    "a generic repository's model": "class G:\n    def f(self):\n        return {}\n"
    "class R(G):\n    model = Account\n",
    "a typed model": "class R:\n    model: type[Account] = Account\n    def f(self):\n"
    "        return {}",
}.items():
    plant(
        MANY,
        label,
        owner.format("joinedload(self.model.invoices)"),
        owner.format("selectinload(self.model.invoices)"),
    )
for label, fault, twin in (
    (
        "a condition",
        "load = joinedload if x else selectinload\nq = load(Account.invoices)",
        "load = selectinload if x else raiseload\nq = load(Account.invoices)",
    ),
    (
        "a condition in place",
        "q = (joinedload if x else selectinload)(Account.invoices)",
        "q = (selectinload if x else raiseload)(Account.invoices)",
    ),
    (
        "another name",
        "load = joinedload\nq = load(Account.invoices)",
        "load = selectinload\nq = load(Account.invoices)",
    ),
    ("noload", "q = noload(Account.invoices)", "q = raiseload(Account.invoices)"),
    (
        "behind defaultload",
        "q = defaultload(Invoice.account).joinedload(Account.invoices)",
        "q = defaultload(Invoice.account).selectinload(Account.invoices)",
    ),
    (
        "a string",
        "q = select(Account).options(joinedload('invoices'))",
        "q = select(Account).options(selectinload('invoices'))",
    ),
    (
        "a string behind Load",
        "q = Load(Account).joinedload('invoices')",
        "q = Load(Account).selectinload('invoices')",
    ),
    (
        "everything joined",
        "q = select(Account).options(joinedload('*'))",
        "q = select(Account).options(raiseload('*'))",
    ),
    (
        "everything lazy",
        "q = select(Account).options(lazyload('*'))",
        "q = select(Account).options(defaultload(Account.invoices).raiseload('*'))",
    ),
    ("unannotated one-to-many", "q = joinedload(Invoice.lines)", "q = selectinload(Invoice.lines)"),
    ("a lazy load", "q = lazyload(Eager.quiet)", "q = lazyload(Eager.lines)"),
    (
        "in options of a list",
        "options = [joinedload(Account.invoices)]",
        "options = [selectinload(Account.invoices)]",
    ),
):
    plant(MANY, label, fault, twin)
plant(
    SINGLE,
    "unannotated many-to-one",
    "q = selectinload(Line.invoice)",
    "q = joinedload(Line.invoice)",
)
plant(
    SINGLE,
    "a repository's model",
    "class R:\n    model = Invoice\n    def f(self):\n        x = selectinload(self.model.account)",
    "class R:\n    model = Invoice\n    def f(self):\n        x = joinedload(self.model.account)",
)
plant(
    SINGLE,
    "a condition",
    "q = (selectinload if x else joinedload)(Invoice.account)",
    "q = (joinedload if x else raiseload)(Invoice.account)",
)
plant(SINGLE, "everything selected in", 'q = selectinload("*")', 'q = raiseload("*")')
plant(
    LAZY,
    "keywords of dict()",
    'class A(TimeStampedMixin, Base):\n    b: Mapped["B"] = relationship(**HOW)',
    'class A(TimeStampedMixin, Base):\n    b: Mapped["B"] = relationship(**WELL)',
    before='HOW = dict(lazy="selectin")\nWELL = dict(lazy="raise")\n',
)
plant(
    MONEY,
    "an amount of rain",
    "class A(TimeStampedMixin, Base):\n    cost_of_rain: Mapped[float]",
    "class A(TimeStampedMixin, Base):\n    amount_of_rain: Mapped[float]",
)

__all__ = ["PLANTED"]
