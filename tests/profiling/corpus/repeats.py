"""Programs that ask the same again: where something may have changed in between, and where not."""

from __future__ import annotations

import asyncio
import threading
import time
from time import sleep
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, text, update

from tests.profiling.corpus.cases import Place, fine, wasteful
from tests.profiling.corpus.schema import Author, Desk, Job, Publisher, Tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncSession
    from sqlalchemy.orm import Session

TWICE = "duplicate-statement"
WORDS = select(Tag.word).order_by(Tag.id)


async def words(session: AsyncSession) -> list[str]:
    return list((await session.scalars(WORDS)).all())


def work(times: int) -> int:
    return sum(hash(str(number)) % 2 for number in range(times))


@wasteful(TWICE)
async def own_work_of_a_while_between_two_equal_reads(place: Place) -> None:
    async with place.sessions() as session:
        await words(session)
        work(200_000)
        await words(session)


@wasteful(TWICE)
async def other_reads_between_two_equal_ones(place: Place) -> None:
    async with place.sessions() as session:
        await words(session)
        await session.scalar(select(func.count()).select_from(Desk))
        await words(session)


@wasteful(TWICE)
async def a_timeout_around_each_of_two_equal_reads(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            async with asyncio.timeout(30):
                await words(session)


@wasteful(TWICE)
async def another_task_sleeps_meanwhile(place: Place) -> None:
    async def heart() -> None:
        for _ in range(1000):
            await asyncio.sleep(0.001)

    task = asyncio.create_task(heart())
    async with place.sessions() as session:
        for _ in range(3):
            await words(session)
    task.cancel()


@wasteful(TWICE)
async def another_session_writes_another_table_meanwhile(place: Place) -> None:
    async def elsewhere() -> None:
        async with place.sessions() as session:
            await session.execute(insert(Desk).values(floor=3))
            await session.rollback()

    task = asyncio.create_task(elsewhere())
    async with place.sessions() as session:
        for _ in range(2):
            await words(session)
    await task


@fine
async def sleeping_by_an_imported_name(place: Place) -> None:
    def poll(session: Session) -> None:
        for _ in range(3):
            session.scalars(WORDS).all()
            sleep(0.001)

    async with place.sessions() as session:
        await session.run_sync(poll)


async def _poll(place: Place, wait: Callable[[float], object]) -> None:
    def poll(session: Session) -> None:
        for _ in range(3):
            session.scalars(WORDS).all()
            wait(0.001)

    async with place.sessions() as session:
        await session.run_sync(poll)


@fine
async def sleeping_in_the_thread(place: Place) -> None:
    await _poll(place, time.sleep)


@fine
async def waiting_for_a_timer(place: Place) -> None:
    loop = asyncio.get_running_loop()
    async with place.sessions() as session:
        for _ in range(3):
            await words(session)
            later = loop.create_future()
            loop.call_later(0.001, later.set_result, None)
            await later


@fine
async def waiting_to_be_stopped(place: Place) -> None:
    stop = asyncio.Event()
    async with place.sessions() as session:
        for _ in range(3):
            await words(session)
            try:
                await asyncio.wait_for(stop.wait(), 0.001)
            except TimeoutError:
                continue


@fine
async def waiting_for_a_thread_to_say_so(place: Place) -> None:
    await _poll(place, threading.Event().wait)


@fine
async def waiting_for_a_message(place: Place) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    async with place.sessions() as session:
        for number in range(3):
            await words(session)
            loop.call_soon(queue.put_nowait, number)
            await queue.get()


@fine
async def a_task_of_its_own_for_each_round_of_polling(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(3):
            await asyncio.create_task(words(session))
            await asyncio.sleep(0.001)


@fine
async def another_tenant_in_between(place: Place) -> None:
    async with place.sessions() as session:
        for tenant in ("1", "2"):
            await session.execute(select(func.set_config("app.tenant", tenant, True)))
            await words(session)


def in_between(name: str, statement: Executable) -> None:
    """Let reading the same on both sides of `statement` be a case."""

    async def read_twice(place: Place) -> None:
        async with place.sessions() as session:
            await words(session)
            await session.execute(statement)
            await words(session)

    read_twice.__name__ = name
    fine(read_twice)


in_between("another_setting_in_between", text("SET LOCAL app.tenant = '2'"))
in_between("a_lock_of_advice_in_between", select(func.pg_advisory_xact_lock(7)))
in_between("a_lock_of_the_table_in_between", text("LOCK TABLE tag IN SHARE MODE"))
in_between("a_lock_of_rows_in_between", select(Tag.id).where(Tag.id == 1).with_for_update())
in_between("a_table_made_in_between", text("CREATE TEMPORARY TABLE scratch (n int) ON COMMIT DROP"))


@fine
async def a_lock_of_the_program_checked_twice(place: Place) -> None:
    mutex = asyncio.Lock()
    async with place.sessions() as session:
        if await words(session):
            async with mutex:
                await words(session)


@wasteful(TWICE)
async def two_equal_reads_under_one_lock(place: Place) -> None:
    mutex = asyncio.Lock()
    async with place.sessions() as session, mutex:
        await words(session)
        await words(session)


@fine
async def a_write_within_a_query_in_between(place: Place) -> None:
    taken = text("WITH t AS (UPDATE job SET state = state WHERE id = 1 RETURNING id) TABLE t")
    async with place.sessions() as session:
        states = select(Job.state).where(Job.id < 4)
        for _ in range(2):
            await session.execute(states)
            await session.execute(taken)
        await session.rollback()


@fine
async def a_block_of_code_in_between(place: Place) -> None:
    async with place.sessions() as session:
        await words(session)
        await session.execute(text("DO $$ BEGIN UPDATE tag SET word = word; END $$"))
        await words(session)
        await session.rollback()


@fine
async def a_function_in_between(place: Place) -> None:
    async with place.engine.connect() as connection:
        made = "CREATE FUNCTION pg_temp.touch() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        await connection.execute(text(made))
        for _ in range(2):
            await connection.execute(WORDS)
            await connection.execute(text("SELECT pg_temp.touch()"))
        await connection.rollback()


@fine
async def a_number_of_a_sequence_each(place: Place) -> None:
    async with place.engine.connect() as connection:
        for _ in range(3):
            await connection.execute(text("SELECT nextval('tag_id_seq'), id FROM tag WHERE id = 1"))


@fine
async def objects_filled_anew(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            again = select(Publisher).execution_options(populate_existing=True)
            [publisher.name for publisher in await session.scalars(again)]


@fine
async def objects_expired_in_between(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            [publisher.name for publisher in await session.scalars(select(Publisher))]
            session.expire_all()


@fine
async def an_object_refreshed_in_between(place: Place) -> None:
    async with place.sessions() as session:
        for _ in range(2):
            publishers = (await session.scalars(select(Publisher))).all()
            await session.refresh(publishers[0])


@fine
async def a_look_before_the_lock(place: Place) -> None:
    async with place.sessions() as session:
        if await session.scalar(select(Author.name).where(Author.id == 1)):
            await session.scalar(select(Author.name).where(Author.id == 1).with_for_update())


@fine
async def another_session_has_written_it(place: Place) -> None:
    async with place.sessions() as session:
        await session.scalar(select(Job.state).where(Job.id == 5))
        async with place.sessions() as other:
            await other.execute(update(Job).where(Job.id == 5).values(state="new"))
            await other.commit()
        await session.scalar(select(Job.state).where(Job.id == 5))


@fine
async def another_task_writes_what_is_read_twice(place: Place) -> None:
    async def elsewhere() -> None:
        async with place.sessions() as session:
            await session.execute(update(Job).where(Job.id == 6).values(state="new"))
            await session.commit()

    task = asyncio.create_task(elsewhere())
    async with place.sessions() as session:
        for _ in range(2):
            await session.scalar(select(Job.state).where(Job.id == 6))
    await task
