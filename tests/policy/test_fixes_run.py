"""Programs with findings are run as they are, and again with the fixes made: they say the same."""

from __future__ import annotations

import importlib
import itertools
import random
import shutil
import sys
from inspect import signature
from textwrap import indent
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

from invoicing.toolkit.policy import check, fix
from tests.conftest import newest_server_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import URL

server_url = newest_server_url
MODELS = """
from sqlalchemy import Column, ForeignKey, Table
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

invoice_tag = Table("invoice_tag", Base.metadata,
    Column("invoice_id", ForeignKey("invoice.id")), Column("tag_id", ForeignKey("tag.id")))

class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    parent: Mapped["Account | None"] = relationship(
        back_populates="children", remote_side="Account.id", lazy="raise")
    children: Mapped[list["Account"]] = relationship(
        back_populates="parent", order_by="Account.id", lazy="raise")
    invoices: Mapped[list["Invoice"]] = relationship(
        back_populates="account", order_by="Invoice.id", lazy="raise")
    billed: Mapped[list["Invoice"]] = relationship(
        viewonly=True, innerjoin=True, order_by="Invoice.id", lazy="raise")

class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)

class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    account: Mapped["Account | None"] = relationship(back_populates="invoices", lazy="raise")
    tags: Mapped[list[Tag]] = relationship(secondary=invoice_tag, order_by=Tag.id, lazy="raise")
    lines: Mapped[list["Line"]] = relationship(
        back_populates="invoice", order_by="Line.id", lazy="raise")

class Line(Base):
    __tablename__ = "line"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    invoice: Mapped[Invoice] = relationship(back_populates="lines", lazy="raise")

def rows():
    accounts = [Account(id=n, parent_id=n // 2 or None) for n in range(1, 6)]
    tags = [Tag(id=n) for n in range(1, 4)]
    invoices = [Invoice(id=n, account_id=n % 4 or None, tags=tags[:n % 3]) for n in range(1, 10)]
    return [*accounts, *tags, *invoices, *(Line(id=n, invoice_id=n % 7 + 1) for n in range(1, 20))]
"""
HEAD = """
from sqlalchemy import func, orm, select, text
from sqlalchemy.orm import Load, aliased, joinedload, selectinload, subqueryload
from sqlalchemy.orm import with_loader_criteria
from {name}.models import Account, Invoice, Line, Tag
"""
HELPER = "from {name}.locks import locked\n"
LOCKS = "def locked(statement):\n    return statement.with_for_update()\n"
ATTRIBUTES = {
    "Account": {"parent": "Account", "children": "Account", "invoices": "Invoice"},
    "Invoice": {"account": "Account", "tags": "Tag", "lines": "Line"},
    "Line": {"invoice": "Invoice"},
    "Tag": {},
}
ATTRIBUTES["Account"]["billed"] = "Invoice"
# SQLAlchemy 2.1 brought it.
CHUNKSIZE = "chunksize" in signature(selectinload).parameters
LOADERS = {
    "joinedload": ("", ", innerjoin=True"),
    "selectinload": ("", ", recursion_depth=2", *[", chunksize=1"] * CHUNKSIZE),
    "subqueryload": ("",),
}
LOCK = ("", "", "", ".with_for_update()", ".with_for_update(of={owner})", ".distinct()")
FORMS = {
    "direct": "return (await session.scalars(select({owner}).order_by({owner}.id)"
    ".options({option}){lock})).unique().all()",
    "variable": "q = select({owner}).order_by({owner}.id).options({option})\n"
    "q = q{lock}\nreturn (await session.scalars(q)).unique().all()",
    "unlocked variable": "q = select({owner}).options({option}).order_by({owner}.id)\n"
    "return (await session.scalars(q)).unique().all()",
    "locked by another file": "q = select({owner}).order_by({owner}.id).options({option})\n"
    "return (await session.scalars(locked(q))).unique().all()",
    "get": "return [await session.get({owner}, 1, options=[{option}])]",
    "locked get": "return [await session.get({owner}, 1, options=[{option}], "
    "with_for_update=True)]",
    "expanded get": "how = dict(with_for_update=True)\n"
    "return [await session.get({owner}, 1, options=[{option}], **how)]",
    "text": 'q = select({owner}).from_statement(text("SELECT * FROM {table} ORDER BY id"))\n'
    "return (await session.scalars(q.options({option}))).unique().all()",
    "grouped": "q = select({owner}, func.count()).group_by({owner}.id).order_by({owner}.id)\n"
    "return [row[0] for row in (await session.execute(q.options({option}))).unique()]",
    "limited": "return (await session.scalars(select({owner}).options({option})"
    ".order_by({owner}.id.desc()).limit(3))).unique().all()",
    "counted": "q = select({owner}, func.count().over()).options({option}).order_by({owner}.id)\n"
    "return [row[0] for row in (await session.execute(q)).unique()]",
    "counted later": "q = select({owner}).options({option}).order_by({owner}.id)\n"
    "q = q.add_columns(func.row_number().over(order_by={owner}.id))\n"
    "return [row[0] for row in (await session.execute(q)).unique() if row[1] < 4]",
    "ordered by raw SQL": 'q = select({owner}).options({option}).order_by(text("id"))\n'
    "return (await session.scalars(q)).unique().all()",
    "ordered by a string": 'return (await session.scalars(select({owner}).order_by("id")'
    ".options({option}))).unique().all()",
    "a raw criterion": 'q = select({owner}).where(text("id > 2")).order_by({owner}.id)\n'
    "return (await session.scalars(q.options({option}))).unique().all()",
    "narrowed": "q = select({owner}).options({option}).where({owner}.id > 1)\n"
    "return (await session.scalars(q.order_by({owner}.id))).unique().all()",
    "with a column": "q = select({owner}.id, {owner}).options({option}).order_by({owner}.id)\n"
    "return [row[1] for row in (await session.execute(q)).unique()]",
    "of other rows": "q = select({owner}).where({owner}.id.in_(select(func.max({owner}.id))))\n"
    "return (await session.scalars(q.options({option}))).unique().all()",
    "by a function": "return (await session.scalars(select({owner}).options({option})"
    ".order_by(func.abs({owner}.id).desc()))).unique().all()",
    "criteria": "q = select({owner}).order_by({owner}.id).options({option}, "
    "with_loader_criteria({target}, {target}.id > 2, propagate_to_loaders=False))\n"
    "return (await session.scalars(q)).unique().all()",
}


class Program(NamedTuple):
    """A function that runs one statement, and the attributes that it loads, in their order."""

    text: str
    loaded: tuple[str, ...]


def options() -> Iterator[tuple[str, tuple[str, ...], str, str]]:
    """Return options as they are written, what they load, and of which class."""
    for owner, attributes in ATTRIBUTES.items():
        for (name, target), loader in itertools.product(attributes.items(), LOADERS):
            for keyword in LOADERS[loader]:
                if "recursion" in keyword and target != owner:
                    continue
                option = f"{loader}({owner}.{name}{keyword})"
                yield option, (name,), owner, target
                if loader != "subqueryload":
                    yield f"orm.{option}", (name,), owner, target
                    yield f"Load({owner}).{option}", (name,), owner, target
                    yield f"{option}.load_only({target}.id)", (name,), owner, target
                    criterion = f"{owner}.{name}.and_({target}.id > 2)"
                    yield f"{loader}({criterion}{keyword})", (name,), owner, target
                for second, then in itertools.product(ATTRIBUTES[target], LOADERS):
                    for more in LOADERS[then][:2]:
                        if "recursion" not in more:
                            chain = f"{option}.{then}({target}.{second}{more})"
                            yield chain, (name, second), owner, target


def programs(seed: int, count: int) -> list[Program]:
    """Return so many of all combinations."""
    chance = random.Random(seed)
    every = list(options())
    made = []
    for form in itertools.islice(itertools.cycle(FORMS), count):
        option, loaded, owner, target = chance.choice(every)
        lock = chance.choice(LOCK).format(owner=owner)
        body = FORMS[form].format(
            owner=owner, target=target, table=owner.lower(), option=option, lock=lock
        )
        made.append(Program(f"async def run(session):\n{indent(body, '    ')}\n", loaded))
    return made


def written(folder: Path, name: str, made: list[Program]) -> Path:
    """Write the programs, each in a module of its own: a lock in one says nothing of another."""
    package = folder / name
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text("")
    files = {"__init__": "", "models": MODELS, "locks": LOCKS}
    for n, program in enumerate(made):
        # What imports a lock may use it.
        head = HEAD + (HELPER if "locked(" in program.text else "")
        files[f"p{n}"] = head.format(name=name) + program.text
    for file, text in files.items():
        (package / f"{file}.py").write_text(text)
    return package


async def said(url: URL, folder: Path, name: str, made: list[Program]) -> list[str]:
    """Run every program, and return what it found or the name of its error."""
    sys.path.insert(0, str(folder))
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]
    importlib.invalidate_caches()
    sys.dont_write_bytecode, kept = True, sys.dont_write_bytecode
    engine = create_async_engine(url)
    try:
        models = importlib.import_module(f"{name}.models")
        async with engine.begin() as connection:
            await connection.run_sync(models.Base.metadata.drop_all)
            await connection.run_sync(models.Base.metadata.create_all)
        async with AsyncSession(engine) as session, session.begin():
            session.add_all(models.rows())
        return [
            await outcome(engine, importlib.import_module(f"{name}.p{n}"), program.loaded)
            for n, program in enumerate(made)
        ]
    finally:
        sys.dont_write_bytecode = kept
        sys.path.remove(str(folder))
        await engine.dispose()


async def outcome(engine: Any, module: Any, loaded: tuple[str, ...]) -> str:
    async with AsyncSession(engine) as session:
        try:
            return repr([graph(row, loaded) for row in await module.run(session)])
        except Exception as error:  # noqa: BLE001 -- it is what the program says
            return f"raised {type(error).__name__}"


def graph(row: Any, loaded: tuple[str, ...]) -> Any:
    if row is None or not loaded:
        return row and row.id
    value = getattr(row, loaded[0])
    rest = value if isinstance(value, list) else [value]
    return row.id, [graph(related, loaded[1:]) for related in rest]


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
@pytest.mark.parametrize("unsafe", [False, True], ids=["safe", "unsafe"])
async def test_a_program_says_the_same_with_its_loaders_fixed(
    unsafe: bool, empty_database_url: URL, tmp_path: Path
) -> None:
    made = programs(seed=15, count=330)
    name = f"shop_{'unsafe' if unsafe else 'safe'}"
    package = written(tmp_path, name, made)
    before = await said(empty_database_url, tmp_path, name, made)
    # Without a fault of its own, most of them run.
    assert sum(result.startswith("raised") for result in before) < len(made) / 2

    rules = ["collection-selectin", "single-joined"]
    report = check([package], root=tmp_path, select=rules)
    count, files = fix(tmp_path, report.findings, unsafe=unsafe)
    assert len(made) / 20 < count < len(report.findings) / 2
    after = await said(empty_database_url, tmp_path, name, made)
    changed = {
        (tmp_path / f"{name}/p{n}.py").read_text(): (old, new)
        for n, (old, new) in enumerate(zip(before, after, strict=True))
        if old != new and not old.startswith("raised")
    }
    assert not changed
    assert fix(tmp_path, check([package], root=tmp_path, select=rules).findings, unsafe=unsafe) == (
        0,
        [],
    )
    assert set(files) <= {f"{name}/p{n}.py" for n in range(len(made))}
