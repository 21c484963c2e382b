"""A shop: composite keys, association objects, trees, wide columns, counters and jobs."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import (
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Text,
    func,
    insert,
    select,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncConnection
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    column_property,
    deferred,
    mapped_column,
    relationship,
)

from tests.profiling.numbered import Numbered, association


class Shop(AsyncAttrs, DeclarativeBase):
    pass


product_tag = association(Shop, "product_tag", "product", "tag")


class Tag(Numbered, Shop):
    word: Mapped[str]


class Category(Numbered, Shop):
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("category.id"))
    name: Mapped[str]
    children: Mapped[list[Category]] = relationship(back_populates="parent")
    parent: Mapped[Category | None] = relationship(
        back_populates="children", remote_side="Category.id"
    )


class Product(Numbered, Shop):
    sku: Mapped[str] = mapped_column(unique=True)
    price: Mapped[Decimal]
    category_id: Mapped[int] = mapped_column(ForeignKey("category.id"))
    manual: Mapped[str] = deferred(mapped_column(Text))
    category: Mapped[Category] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=product_tag)


class Page(Numbered, Shop):
    slug: Mapped[str]
    html: Mapped[str] = mapped_column(Text)


class Profile(Shop):
    __tablename__ = "profile"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    motto: Mapped[str]


class Address(Numbered, Shop):
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    street: Mapped[str]


class Wish(Shop):
    __tablename__ = "wish"
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    rank: Mapped[int]
    product: Mapped[Product] = relationship()


class Customer(Numbered, Shop):
    name: Mapped[str]
    email: Mapped[str]
    orders: Mapped[list[Order]] = relationship(back_populates="customer", viewonly=False)
    addresses: Mapped[list[Address]] = relationship()
    profile: Mapped[Profile] = relationship(uselist=False)
    wishes: Mapped[list[Wish]] = relationship()
    wished: AssociationProxy[list[Product]] = association_proxy("wishes", "product")
    history: DynamicMapped[Order] = relationship(viewonly=True)

    @hybrid_property
    def spent(self) -> Decimal:
        return sum((order.total for order in self.orders), Decimal())


class Order(Shop):
    __tablename__ = "shop_order"
    branch: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    placed: Mapped[date]
    total: Mapped[Decimal]
    customer: Mapped[Customer] = relationship(back_populates="orders")
    lines: Mapped[list[Line]] = relationship(back_populates="order")


class Line(Numbered, Shop):
    __table_args__ = (
        ForeignKeyConstraint(["branch", "number"], ["shop_order.branch", "shop_order.number"]),
    )
    branch: Mapped[int]
    number: Mapped[int]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    quantity: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship()


class RatedProduct(Shop):
    """A product with the number of its lines, asked for by a subquery in its column list."""

    __table__ = Product.__table__
    __mapper_args__ = {"include_properties": ["id", "sku"]}
    sold = column_property(
        select(func.count(Line.id))
        .where(Line.product_id == Product.__table__.c.id)
        .correlate(Product.__table__)
        .scalar_subquery()
    )


class Job(Numbered, Shop):
    queue: Mapped[str]
    state: Mapped[str] = mapped_column(default="ready")
    version: Mapped[int] = mapped_column(Integer)
    steps: Mapped[list[Step]] = relationship(cascade="all, delete-orphan")
    notes: Mapped[list[Note]] = relationship(cascade="all", passive_deletes=True)
    __mapper_args__ = {"version_id_col": version}


class Step(Numbered, Shop):
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    name: Mapped[str]


class Note(Numbered, Shop):
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    text: Mapped[str]


class Stock(Shop):
    __tablename__ = "stock"
    sku: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[int]


class Reading(Numbered, Shop):
    value: Mapped[int]


CUSTOMERS, ORDERS, PRODUCTS = 30, 8, 40
WHALE = 31
SMALL = select(Customer).where(Customer.id != WHALE).order_by(Customer.id)


async def fill_shop(connection: AsyncConnection) -> None:
    """Store thirty customers with eight orders of three lines, and one with 200 orders."""
    tree = [{"id": 1, "parent_id": None}]
    tree += [{"id": n, "parent_id": (n + 2) // 4} for n in range(2, 22)]
    day = date(2026, 1, 1)
    orders = [
        {"branch": c % 3, "number": c * 1000 + n, "customer_id": c}
        for c in range(1, WHALE + 1)
        for n in range(200 if c == WHALE else ORDERS)
    ]
    for n, order in enumerate(orders):
        order |= {"placed": day + timedelta(days=n % 100), "total": Decimal(n)}
    lines = [
        {
            "branch": o["branch"],
            "number": o["number"],
            "product_id": (n * 3 + k) % PRODUCTS + 1,
            "quantity": k + 1,
        }
        for n, o in enumerate(orders[: CUSTOMERS * ORDERS])
        for k in range(3)
    ]
    people = range(1, WHALE + 1)
    products = range(1, PRODUCTS + 1)
    rows: dict[type, list[dict[str, object]]] = {
        Category: [node | {"name": f"category {node['id']}"} for node in tree],
        Tag: [{"id": n, "word": f"tag {n}"} for n in range(1, 6)],
        Product: [
            {
                "id": n,
                "sku": f"sku-{n}",
                "price": Decimal(n),
                "category_id": n % 20 + 1,
                "manual": "manual",
            }
            for n in products
        ],
        Customer: [{"id": c, "name": f"name {c}", "email": f"{c}@example.org"} for c in people],
        Page: [{"slug": f"page-{n}", "html": f"<p>{n}</p>" * 500} for n in products],
        Profile: [{"customer_id": c, "motto": "carpe"} for c in people],
        Address: [{"customer_id": c, "street": f"street {n}"} for c in people for n in range(6)],
        Wish: [
            {"customer_id": c, "product_id": (c + n) % PRODUCTS + 1, "rank": n}
            for c in people
            for n in range(3)
        ],
        Order: orders,
        Line: lines,
        Stock: [{"sku": f"sku-{n}", "amount": 100} for n in products],
        Reading: [{"value": n} for n in range(6000)],
    }
    for model, values in rows.items():
        await connection.execute(insert(model), values)
    await connection.execute(
        insert(product_tag),
        [{"product_id": p, "tag_id": t} for p in products for t in (p % 5 + 1, (p + 1) % 5 + 1)],
    )
