"""The line a recording names is the one that caused the statement.

The lines meant end in a comment, `# <- name`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from sqlalchemy import event, select, text
from sqlalchemy.orm import lazyload

from invoicing.toolkit.profiling import record_queries
from tests.conftest import newest_server_url
from tests.profiling.conftest import SHELVES, Book, Shelf

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
    from sqlalchemy.orm import ORMExecuteState, Session

    from invoicing.toolkit.profiling import Recorder
    from tests.profiling.conftest import Sessions

server_url = newest_server_url
MEANT = {
    name: number
    for number, line in enumerate(Path(__file__).read_text().splitlines(), 1)
    for name in re.findall(r"# <- ([\w ]+)$", line)
}
LAZY = select(Shelf).order_by(Shelf.id).options(lazyload(Shelf.books))


def lines(recorder: Recorder) -> list[str]:
    """Return what the lines of the recording are called."""
    names = {number: name for name, number in MEANT.items()}
    assert {statement.caller.file for statement in recorder.statements} == {__file__}
    return [
        names.get(statement.caller.line, f"line {statement.caller.line}")
        for statement in recorder.statements
    ]


async def find_book(session: AsyncSession, number: int) -> Book | None:
    return await session.get(Book, number)  # <- helper


async def titles(session: AsyncSession) -> AsyncIterator[str]:
    for number in (1, 2):
        book = await session.get(Book, number)  # <- generator
        yield book.title


def count_books(_: Session, shelf: Shelf) -> int:
    return len(shelf.books)  # <- lazy load


async def test_a_direct_await(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        await session.execute(select(Book))  # <- direct
        (
            await session.scalars(  # <- many lines
                select(Book).where(
                    Book.id == 1,
                )
            )
        ).one()
    assert lines(recorder) == ["direct", "many lines"]
    assert recorder.statements[0].caller.function == "test_a_direct_await"
    assert recorder.statements[0].caller.source.startswith("await session.execute(select(Book))")


async def test_a_helper_and_who_called_it(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        for number in (1, 2):
            await find_book(session, number)  # <- calls helper
    assert lines(recorder) == ["helper", "helper"]
    assert [statement.stack[1].line for statement in recorder.statements] == [
        MEANT["calls helper"]
    ] * 2


async def test_a_comprehension_is_its_function(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        books = [await session.get(Book, number) for number in (1, 2)]  # <- comprehension
    assert len(books) == 2
    assert lines(recorder) == ["comprehension"] * 2
    assert {statement.caller.function for statement in recorder.statements} == {
        "test_a_comprehension_is_its_function"
    }


async def test_a_lazy_load_inside_run_sync(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        for shelf in (await session.scalars(LAZY)).all():  # <- parents
            await session.run_sync(count_books, shelf)  # <- run sync
    assert lines(recorder) == ["parents"] + ["lazy load"] * SHELVES
    assert {statement.stack[1].line for statement in recorder.statements[1:]} == {MEANT["run sync"]}


async def test_a_query_inside_run_sync(engine: AsyncEngine, sessions: Sessions) -> None:
    def read(session: Session) -> list[Book]:
        return list(session.scalars(select(Book)))  # <- sync query

    async with record_queries(engine) as recorder, sessions() as session:
        await session.run_sync(read)
    assert lines(recorder) == ["sync query"]


async def test_a_generator(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        assert len([title async for title in titles(session)]) == 2
    assert lines(recorder) == ["generator"] * 2


async def test_gather_of_functions_and_of_bare_statements(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    async def ask() -> None:
        async with sessions() as session:
            await session.execute(select(Book))  # <- gathered

    async with sessions() as first, sessions() as second, record_queries(engine) as recorder:
        await asyncio.gather(ask(), ask())
        await asyncio.gather(first.execute(LAZY), second.execute(LAZY))  # <- gather
    assert lines(recorder) == ["gathered", "gathered", "gather", "gather"]


async def test_a_flush_on_commit(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine) as recorder, sessions() as session:
        session.add(Book(title="new", shelf_id=1))
        await session.commit()  # <- commit
    assert lines(recorder) == ["commit"]


async def test_a_flush_at_the_end_of_a_block(engine: AsyncEngine, sessions: Sessions) -> None:
    with record_queries(engine) as recorder:
        async with sessions() as session, session.begin():  # <- block
            session.add(Book(title="new", shelf_id=1))
    assert lines(recorder) == ["block"]


async def test_a_listener_of_the_programs_own(engine: AsyncEngine, sessions: Sessions) -> None:
    async with sessions() as session:

        @event.listens_for(session.sync_session, "before_flush")
        def before_flush(flushed: Session, *_: object) -> None:
            flushed.execute(text("SELECT 1"))  # <- own listener

        async with record_queries(engine) as recorder:
            session.add(Book(title="new", shelf_id=1))
            await session.flush()  # <- flush
    assert lines(recorder) == ["own listener", "flush"]


async def test_one_statement_sent_in_different_ways(
    engine: AsyncEngine, sessions: Sessions
) -> None:
    statement = select(Book)

    def in_between(state: ORMExecuteState) -> Any:
        return state.invoke_statement()  # <- in between

    async with record_queries(engine) as recorder, sessions() as session:
        for _ in range(3):
            await session.execute(statement)  # <- directly
            await session.run_sync(lambda sync: sync.execute(statement))  # <- synchronously
        event.listen(session.sync_session, "do_orm_execute", in_between)
        for _ in range(2):
            await session.execute(statement)
        event.remove(session.sync_session, "do_orm_execute", in_between)
        await session.execute(statement)  # <- again
    assert lines(recorder) == [
        *["directly", "synchronously"] * 3,
        *["in between"] * 2,
        "again",
    ]


async def test_modules_can_be_skipped(engine: AsyncEngine, sessions: Sessions) -> None:
    async with record_queries(engine, skip=(__name__,)) as recorder, sessions() as session:
        await session.execute(select(Book))
    assert __file__ not in {line.file for line in recorder.statements[0].stack}


@pytest.mark.parametrize("path", ["-c", "script.py"])
def test_a_program_started_by_itself(tmp_path: Path, path: str) -> None:
    program = (
        "from sqlalchemy import create_engine, text\n"
        "from invoicing.toolkit.profiling import record_queries\n"
        "engine = create_engine('sqlite://')\n"
        "with record_queries() as recorder, engine.connect() as connection:\n"
        "    connection.execute(text('SELECT 1'))\n"
        "print(recorder.statements[0].caller, recorder.statements[0].caller.function)\n"
    )
    (tmp_path / "script.py").write_text(program)
    arguments = ["-c", program] if path == "-c" else [path]
    output = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == f"{'<string>' if path == '-c' else 'script.py'}:5 <module>"


CELLS = [
    """\
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from invoicing.toolkit.profiling import record_queries
engine = create_async_engine({url!r})""",
    """\
async def ask():
    async with engine.connect() as connection:
        await connection.execute(text('SELECT 1'))""",
    """\
async with record_queries(engine) as recorder:
    await ask()
    async with engine.connect() as connection:

        await connection.execute(text('SELECT 2'))""",
    """\
import json
print(json.dumps([[str(line) for line in statement.stack] for statement in recorder.statements]))
print(json.dumps([statement.caller.source for statement in recorder.statements]))
await engine.dispose()""",
]


async def test_a_notebooks_lines_are_those_of_its_cells(empty_database_url: URL) -> None:
    url = empty_database_url.render_as_string(hide_password=False)
    cells = [nbformat.v4.new_code_cell(cell.replace("{url!r}", repr(url))) for cell in CELLS]
    client = NotebookClient(nbformat.v4.new_notebook(cells=cells), timeout=120)
    notebook: Any = await client.async_execute()
    output = "".join(each["text"] for each in notebook.cells[-1].outputs)
    stacks, sources = map(json.loads, output.splitlines())
    assert stacks == [["In[2], line 3", "In[3], line 2"], ["In[3], line 5"]]
    assert sources[1] == "await connection.execute(text('SELECT 2'))"
