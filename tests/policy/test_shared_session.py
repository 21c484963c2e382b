"""Closures, methods and partials over a session that several tasks share, and their clean twins."""

from __future__ import annotations

from textwrap import dedent, indent
from typing import TYPE_CHECKING

import pytest

from tests.policy.project import findings_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """\
import asyncio
import anyio
from functools import partial
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

async def fetch(session: AsyncSession, i): ...
"""
WORK = "async def work(i):\n    {}\n"
USES = WORK.format("return await session.scalar(select(i))")
PASSES = WORK.format("return await fetch(session, i)")
BOUNDED = "limit = asyncio.{}\n" + WORK.format(
    "async with limit:\n        return await fetch(session, i)"
)
EACH = "return await asyncio.gather(*(work(i) for i in ids))"
IN_A_GROUP = "async with anyio.create_task_group() as tg:\n    for i in ids:\n        "
SHARED = {
    "a generator": USES + EACH,
    "it passes the session on": PASSES + EACH,
    "by keyword": WORK.format("return await fetch(session=session, i=i)") + EACH,
    "written twice": USES + "await asyncio.gather(work(1), work(2))",
    "beside the session itself": USES + "await asyncio.gather(work(1), session.scalar(select(1)))",
    "two closures": PASSES
    + "async def other():\n    await session.flush()\nawait asyncio.gather(work(1), other())",
    "a list with a name": USES + "todo = [work(i) for i in ids]\nawait asyncio.gather(*todo)",
    "a list that grows": USES
    + "todo = []\nfor i in ids:\n    todo.append(work(i))\nawait asyncio.gather(*todo)",
    "a list of a map": USES + "todo = list(map(work, ids))\nawait asyncio.gather(*todo)",
    "a list that is extended": USES
    + "todo = []\ntodo.extend(work(i) for i in ids)\nawait asyncio.gather(*todo)",
    "tasks in a dictionary": USES + "todo = {i: asyncio.create_task(work(i)) for i in ids}",
    "with a timeout each": USES
    + "await asyncio.gather(*(asyncio.wait_for(work(i), 5) for i in ids))",
    "a map": USES + "await asyncio.gather(*map(work, ids))",
    "a task group": USES
    + "async with asyncio.TaskGroup() as tg:\n    for i in ids:\n        tg.create_task(work(i))",
    "tasks in a list": USES
    + "async with asyncio.TaskGroup() as tg:\n    todo = [tg.create_task(work(i)) for i in ids]",
    "tasks gathered": USES + "await asyncio.gather(*[asyncio.create_task(work(i)) for i in ids])",
    "tasks in a loop": USES + "for i in ids:\n    asyncio.create_task(work(i))",
    "futures": USES + "asyncio.ensure_future(work(1))\nasyncio.ensure_future(work(2))",
    "anyio": USES + IN_A_GROUP + "tg.start_soon(work, i)",
    "anyio, a partial": USES + IN_A_GROUP + "tg.start_soon(partial(work, i))",
    "a semaphore": BOUNDED.format("Semaphore(5)") + EACH,
    "a timeout": WORK.format("async with asyncio.timeout(5):\n        await fetch(session, i)")
    + EACH,
    "a lambda": "work = lambda i: session.scalar(select(i))\n" + EACH,
    "a partial with a name": "work = partial(fetch, session)\n" + EACH,
    "a closure of a closure": USES + "async def outer(i):\n    await work(i)\n"
    "await asyncio.gather(*(outer(i) for i in ids))",
    "a lambda in a closure": WORK.format("return await retry(lambda: fetch(session, i))") + EACH,
    "a session of its own function": "async with AsyncSession(engine) as db:\n"
    "    async def work(i):\n        return await db.scalar(select(i))\n" + indent(EACH, "    "),
}
APART = {
    "its own session": WORK.format(
        "async with maker() as session:\n        return await fetch(session, i)"
    )
    + EACH,
    "its own by a loop": WORK.format(
        "async for session in sessions():\n        await fetch(session, i)"
    )
    + EACH,
    "its own by an assignment": WORK.format("session = maker() or None; await fetch(session, i)")
    + EACH,
    "its own of several": WORK.format("return [await fetch(session, i) for session in maker()]")
    + EACH,
    "its own among others": WORK.format(
        "async with pool() as (session, _):\n        await fetch(session, i)"
    )
    + EACH,
    "its own parameter": "async def work(session, i):\n    await fetch(session, i)\n"
    "await asyncio.gather(*(work(maker(), i) for i in ids))",
    "no session": WORK.format("return await client.get(i)") + EACH,
    "awaited in turn": USES + "for i in ids:\n    await work(i)",
    "awaited in a list": USES + "return [await work(i) for i in ids]",
    "tasks in turn": USES + "for i in ids:\n    await asyncio.create_task(work(i))",
    "a single task": USES + "await asyncio.gather(work(1), client.get(2))",
    "a lock": BOUNDED.format("Lock()") + EACH,
    "a semaphore of 1": BOUNDED.format("Semaphore(1)") + EACH,
    "another function of the name": "async def outer():\n"
    + indent(USES, "    ")
    + "    await work(1)\nawait asyncio.gather(*(work(i) for i in ids))",
    "it calls itself": WORK.format("return await work(i - 1)") + EACH,
}


@pytest.mark.parametrize("head", ["session: AsyncSession", "self, session: AsyncSession"])
def test_closures_over_a_session_are_followed(head: str, tmp_path: Path) -> None:
    forms = [*SHARED.items(), *APART.items()]
    lines, starts = [HEAD], {}
    for label, body in forms:
        starts[label] = sum(text.count("\n") for text in lines)
        lines.append(f"async def f({head}, ids, maker, client):\n{indent(body, '    ')}\n")
    text = "".join(lines)
    if "self" in head:
        text = HEAD + "class A:\n" + indent("".join(lines[1:]), "    ")
        starts = {label: start + 1 for label, start in starts.items()}
    findings = findings_of(tmp_path, {"app/services/work.py": text}, "shared-session")
    found = [
        max((start, label) for label, start in starts.items() if start < finding.line)[1]
        for finding in findings
    ]
    assert found == list(SHARED)


BASE = """\
class Reader:
    def __init__(self, session: AsyncSession, maker):
        self.session = session
        self.maker = maker
        self.lock = asyncio.Lock()
    async def read(self, i):
        return await fetch(self.session, i)
    async def through(self, i):
        return await self.read(i)
    async def own(self, i):
        async with self.maker() as session:
            return await fetch(session, i)
    async def locked(self, i):
        async with self.lock:
            return await fetch(self.session, i)
"""


@pytest.mark.parametrize(
    ("work", "count"),
    [
        ("await asyncio.gather(*(self.read(i) for i in ids))", 1),
        ("await asyncio.gather(*(self.through(i) for i in ids))", 1),
        ("await asyncio.gather(self.through(1), self.read(2))", 1),
        (WORK.format("return await self.through(i)") + EACH, 1),
        (WORK.format("return await fetch(self.session, i)") + EACH, 1),
        ("await asyncio.gather(*map(self.read, ids))", 1),
        ("await asyncio.gather(*(self.own(i) for i in ids))", 0),
        ("await asyncio.gather(*(self.locked(i) for i in ids))", 0),
        ("await asyncio.gather(self.read(1), self.own(2))", 0),
        ("await self.read(1)\nawait self.read(2)", 0),
    ],
)
def test_methods_are_followed_to_what_they_inherit(work: str, count: int, tmp_path: Path) -> None:
    body = indent(f"async def f(self, ids):\n{indent(work, '    ')}\n", "    ")
    head = HEAD + "from app.reader import Reader\n"
    files = {
        "app/reader.py": HEAD + BASE,
        "app/services/child.py": f"{head}class Child(Reader):\n{body}",
        "app/services/same.py": f"{HEAD}{BASE}{body}",
    }
    assert len(findings_of(tmp_path, files, "shared-session")) == 2 * count


def test_a_session_of_the_module_is_shared_by_its_functions(tmp_path: Path) -> None:
    text = """
        session = AsyncSession(engine)
        async def work(i):
            return await session.scalar(select(i))
        async def own(i):
            async with AsyncSession(engine) as session:
                return await session.scalar(select(i))
        async def shared(ids):
            await asyncio.gather(*(work(i) for i in ids))
        async def apart(ids):
            await asyncio.gather(*(own(i) for i in ids))
    """
    files = {"app/services/work.py": HEAD + dedent(text)}
    (finding,) = findings_of(tmp_path, files, "shared-session")
    assert finding.line == HEAD.count("\n") + 9


def test_a_long_chain_of_functions_is_followed_to_its_end(tmp_path: Path) -> None:
    links = "".join(f"    async def w{n}():\n        await w{n - 1}()\n" for n in range(1, 300))
    text = (
        "import asyncio\nfrom sqlalchemy.ext.asyncio import AsyncSession\n"
        "async def f(session: AsyncSession):\n    async def w0():\n        await session.flush()\n"
        f"{links}    await asyncio.gather(w299(), w299())\n"
    )
    assert findings_of(tmp_path, {"app/work.py": text}, "shared-session")
    other = text.replace("session.flush()", "asyncio.sleep(1)")
    assert not findings_of(tmp_path, {"app/work.py": other}, "shared-session")
