"""Faults that are seen only where names are followed: into loops, objects and other functions."""

from __future__ import annotations

from tests.policy.planted import ASYNC, MANY, MONEY, OUTSIDE, PLANTED, SHARED, SINGLE, plant
from tests.policy.planted_models import CLASS

__all__ = ["PLANTED"]

# What a loader is given in turn: each with a collection in it.
OPTIONS = "select(Account).options(*{})"
HELD = "WANTED = [Invoice.account, Account.invoices]\nMORE = (*WANTED,)\n"
LOOPS = {
    "a list written there": "[{}(each) for each in (Account.invoices,)]",
    "a list of the module": "({}(each) for each in WANTED)",
    "a list within another": "[{}(each) for each in MORE]",
    "map over a list": "map({}, [Account.invoices])",
    "map over a name": "map({}, WANTED)",
    "the second of two loops": "[raiseload(a) for a in (Invoice.account,)], "
    "*[{}(a) for a in (Account.invoices,)]",
}
for name, loop in LOOPS.items():
    fault, twin = (OPTIONS.format(loop.format(each)) for each in ("joinedload", "raiseload"))
    plant(MANY, f"in a loop over {name}", fault, twin, before=HELD)

LOOP = """
def load(deep):
    found = select(Invoice)
    for each in [Invoice.lines, Invoice.account]:
        if deep:
            found = found.options({}(each))
"""
plant(SINGLE, "in a loop", LOOP.format("selectinload"), LOOP.format("raiseload"))
BOUND = "def f():\n    wanted = Account.invoices\n    return {}(wanted)\n"
plant(MANY, "of a name for it", BOUND.format("joinedload"), BOUND.format("selectinload"))
PARTIAL = "from functools import partial\neager = partial({}, Account.invoices)\n"
plant(MANY, "bound by partial", PARTIAL.format("joinedload"), PARTIAL.format("selectinload"))
CLASSES = "def f(model: type[Account]):\n    return {}(model.invoices)\n"
plant(MANY, "of a class given", CLASSES.format("joinedload"), CLASSES.format("selectinload"))
plant(MANY, "of a path", "joinedload(Invoice.account, Account.invoices)",
      "raiseload(Invoice.account, Account.invoices)")  # fmt: skip
# Another function's name is not the loop's.
HIDDEN = (
    "for r in {}:\n    pass\ndef f(r):\n    return joinedload(r)\n[joinedload(r) for r in {}]\n"
)
MANY_OF, ONE_OF = "(Account.invoices,)", "(Invoice.account,)"
plant(MANY, "beside a parameter", HIDDEN.format("()", MANY_OF), HIDDEN.format(MANY_OF, ONE_OF))
OVER_SELF = """
class Base:
    wanted = ()
    def f(self):
        return select(self.model).options(*[joinedload(each) for each in self.wanted])
class Accounts(Base):
    model = Account
    wanted = ({},)
"""
plant(MANY, "over a list of a subclass", OVER_SELF.format("Account.invoices"),
      OVER_SELF.format("Invoice.account"))  # fmt: skip

# A function without annotations is given a session by its caller, or something else.
SAVES = "async def save(db, thing):\n    db.add(thing)\n"
GIVES = "async def f(session: AsyncSession):\n    await {}\n"
HANDED = {
    "in order": (SAVES, "save({}, 1)"),
    "by keyword": (SAVES, "save(thing=1, db={})"),
    "by keyword only": ("async def save(*, db):\n    db.add(1)\n", "save(db={})"),
    "through two": (SAVES + "async def again(x, db):\n    await save(db, x)\n", "again(1, {})"),
    "to a method": ("class A:\n    async def save(self, db):\n        db.add(1)\n", "A().save({})"),
    "to a bound object": (
        "class A:\n    async def save(self, db):\n        db.add(1)\na = A()\n", "a.save({})"
    ),
}  # fmt: skip
for name, (before, call) in HANDED.items():
    fault, twin = (before + GIVES.format(call.format(each)) for each in ("session", "set()"))
    plant(OUTSIDE, f"a session handed over {name}", fault, twin)
REBOUND = (
    "async def save(db):\n    {}\n    db.add(1)\nasync def f(session: AsyncSession):\n    {}\n"
)
plant(OUTSIDE, "a session handed over, and kept", REBOUND.format("pass", "await save(session)"),
      REBOUND.format("db = set(db)", "await save(session)"))  # fmt: skip

# Objects that keep the session.
KEEPS = """
class Repository:
    def __init__(self, session: AsyncSession):
        self.session = session
    async def a(self):
        db = self.session
        return await db.scalar(select(1))
    async def pure(self):
        return 1
    async def own(self):
        async with async_sessionmaker()() as session:
            return await session.scalar(select(1))
"""
ONE = """
async def f(session: AsyncSession):
    a = Repository(session)
    b = Repository(session)
"""
OWNER = """
class Service:
    def __init__(self, session: AsyncSession):
        self.repository = Repository(session)
    async def f(self):
        await asyncio.gather(self.repository.a(), self.repository.{}())
"""
for other in ("pure", "own"):
    name = f"methods of an object, not {other}"
    fault, twin = (ONE + f"    await asyncio.gather(a.a(), a.{each}())\n" for each in ("a", other))
    plant(SHARED, name, fault, twin, before=KEEPS)
    fault, twin = (ONE + f"    await asyncio.gather(a.a(), b.{each}())\n" for each in ("a", other))
    plant(SHARED, f"two objects of it, not {other}", fault, twin, before=KEEPS)
    plant(SHARED, f"of an object of self, not {other}", OWNER.format("a"), OWNER.format(other),
          before=KEEPS)  # fmt: skip
EACH_OWN = """
async def f(sessions: list[AsyncSession]):
    tasks = []
    for session in sessions:
        repository = Repository(session)
        tasks.append(repository.{}())
    await asyncio.gather(*tasks)
"""
STARTED = (
    ONE
    + "    async with asyncio.TaskGroup() as group:\n        group.create_task(a.a())\n        {}\n"
)
plant(SHARED, "tasks of an object, or an object each", STARTED.format("group.create_task(a.a())"),
      EACH_OWN.format("a"), before=KEEPS)  # fmt: skip

# The session that blocks, of the one that does not.
SYNC = "async def f(session: AsyncSession):\n    {}\n"
plant(ASYNC, "the session within", SYNC.format("session.sync_session.scalars(select(Invoice))"),
      SYNC.format("session.sync_session.identity_map.keys()"))  # fmt: skip
plant(
    ASYNC, "a driver, or its errors alone", "import psycopg2.extras\n", "import psycopg2.errors\n"
)
EXACT = CLASS + "    price: Mapped[Decimal] = mapped_column(Numeric(12, 2{}))\n"
plant(
    MONEY, "a number that is read as a float", EXACT.format(", asdecimal=False"), EXACT.format("")
)
