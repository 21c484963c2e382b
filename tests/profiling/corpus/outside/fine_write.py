"""Programs that write, wait or take turns, look wasteful and are not."""

from __future__ import annotations

import asyncio

from sqlalchemy import bindparam, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import selectinload
from sqlalchemy.orm.exc import StaleDataError

from tests.profiling.corpus.cases import World, fine
from tests.profiling.corpus.outside.shop import Customer, Job, Note, Order, Step, Stock


@fine
async def waits_until_done(world: World) -> str:
    async with world.sessions.begin() as session:
        session.add(Job(id=9001, queue="wait", state="ready"))

    async def finish() -> None:
        await asyncio.sleep(0.15)
        async with world.engine.begin() as connection:
            await connection.execute(update(Job).where(Job.id == 9001).values(state="done"))

    task = asyncio.create_task(finish())
    async with world.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        state = "ready"
        while state != "done":
            await asyncio.sleep(0.025)
            state = await connection.scalar(select(Job.state).where(Job.id == 9001)) or ""
    await task
    return state


@fine
async def worker_takes_one_at_a_time(world: World) -> int:
    async with world.sessions.begin() as session:
        session.add_all(Job(queue="one", state="ready") for _ in range(12))
    done = 0
    while True:
        async with world.sessions.begin() as session:
            query = select(Job).where(Job.queue == "one", Job.state == "ready").limit(1)
            job = await session.scalar(query.with_for_update(skip_locked=True))
            if job is None:
                return done
            job.state = "done"
            done += 1


@fine
async def worker_takes_a_batch(world: World) -> int:
    async with world.engine.begin() as connection:
        rows = [{"queue": "batch", "state": "ready", "version": 1}] * 40
        await connection.execute(insert(Job), rows)
    done = 0
    while True:
        async with world.engine.begin() as connection:
            ready = select(Job.id).where(Job.queue == "batch", Job.state == "ready").limit(8)
            taken = (await connection.scalars(ready.with_for_update(skip_locked=True))).all()
            if not taken:
                return done
            await connection.execute(update(Job).where(Job.id.in_(taken)).values(state="done"))
            done += len(taken)


@fine
async def retries_after_a_clash(world: World) -> int:
    async with world.sessions() as session:
        for attempt in range(6):
            free = await session.scalar(select(func.max(Job.id)).where(Job.id < 20_000)) or 0
            wanted = 19_000 if attempt < 4 else free + 1
            try:
                async with session.begin_nested():
                    session.add(Job(id=wanted, queue="retry", state="done"))
            except IntegrityError:
                continue
        await session.rollback()
    return 0


@fine
async def savepoint_for_each_insert(world: World) -> int:
    async with world.sessions() as session:
        for n in range(12):
            async with session.begin_nested():
                session.add(
                    Note(job_id=9001, text=f"note {n}") if n < 0 else Stock(sku=f"s{n}", amount=n)
                )
        await session.rollback()
    return 12


@fine
async def many_at_once(world: World) -> int:
    async with world.sessions() as session:
        session.add_all(Stock(sku=f"bulk {n}", amount=n) for n in range(1500))
        await session.flush()
        await session.execute(
            update(Stock).execution_options(synchronize_session=None),
            [{"sku": f"bulk {n}", "amount": n + 1} for n in range(30)],
        )
        await session.rollback()
    return 1500


@fine
async def upsert_for_each_message(world: World) -> int:
    async with world.engine.connect() as connection:
        for n in range(20):
            row = upsert(Stock).values(sku=f"message {n % 7}", amount=1)
            row = row.on_conflict_do_update(
                index_elements=["sku"], set_={"amount": Stock.amount + row.excluded.amount}
            )
            await connection.execute(row.returning(Stock.amount))
        await connection.rollback()
    return 20


@fine
async def objects_changed_one_by_one(world: World) -> None:
    async with world.sessions() as session:
        for stock in await session.scalars(select(Stock).order_by(Stock.sku).limit(25)):
            stock.amount += len(stock.sku)
            await session.flush()
        await session.rollback()


@fine
async def executemany_with_binds(world: World) -> None:
    async with world.engine.connect() as connection:
        table = Stock.__table__
        change = update(table).where(table.c.sku == bindparam("key")).values(amount=bindparam("n"))
        await connection.execute(change, [{"key": f"sku-{n}", "n": n} for n in range(1, 41)])
        await connection.rollback()


@fine
async def read_write_read(world: World) -> tuple[int, int]:
    query = select(Stock.amount).where(Stock.sku == "sku-1")
    async with world.engine.connect() as connection:
        before = await connection.scalar(query) or 0
        await connection.execute(update(Stock).where(Stock.sku == "sku-1").values(amount=7))
        after = await connection.scalar(query) or 0
        await connection.rollback()
        return before, after


@fine
async def same_in_three_transactions(world: World) -> list[str]:
    found = []
    async with world.sessions() as session:
        for _ in range(3):
            query = select(Customer.name).where(Customer.id == 8)
            found.append(await session.scalar(query) or "")
            await session.commit()
    return found


@fine
async def next_values(world: World) -> list[int]:
    async with world.engine.begin() as connection:
        await connection.execute(text("CREATE TEMPORARY SEQUENCE tick"))
        return [await connection.scalar(text("SELECT nextval('tick')")) or 0 for _ in range(8)]


@fine
async def locks_in_order(world: World) -> int:
    async with world.engine.begin() as connection:
        for key in sorted([501, 77, 93, 1002, 4]):
            await connection.execute(select(func.pg_advisory_xact_lock(key)))
    return 5


@fine
async def settings_of_each_transaction(world: World) -> int:
    total = 0
    for tenant in (1, 2, 3, 4):
        async with world.engine.begin() as connection:
            await connection.execute(
                text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": str(tenant)}
            )
            await connection.execute(text("SET LOCAL statement_timeout = '30s'"))
            total += await connection.scalar(select(func.count()).select_from(Customer)) or 0
    return total


@fine
async def loaded_to_be_deleted(world: World) -> None:
    async with world.sessions.begin() as session:
        session.add(Job(id=9100, queue="gone", state="ready", steps=[Step(name="a")] * 1))
    async with world.sessions() as session:
        query = select(Job).where(Job.id == 9100).options(selectinload(Job.steps))
        await session.delete((await session.scalars(query)).one())
        await session.commit()


@fine
async def deleted_by_the_database(world: World) -> None:
    async with world.sessions.begin() as session:
        rows = [{"id": 9200 + n, "queue": "bulk", "state": "x", "version": 1} for n in range(10)]
        await session.execute(insert(Job), rows)
        await session.execute(insert(Note), [{"job_id": 9200 + n, "text": "t"} for n in range(10)])
    async with world.sessions.begin() as session:
        await session.execute(delete(Job).where(Job.queue == "bulk"))


@fine
async def collection_loaded_to_be_replaced(world: World) -> None:
    async with world.sessions.begin() as session:
        session.add(Job(id=9300, queue="new", state="x", steps=[Step(name="a"), Step(name="b")]))
    async with world.sessions.begin() as session:
        query = select(Job).where(Job.id == 9300).options(selectinload(Job.steps))
        job = (await session.scalars(query)).one()
        job.steps = [Step(name="c")]


@fine
async def stale_version_is_read_again(world: World) -> str:
    async with world.sessions.begin() as session:
        session.add(Job(id=9400, queue="stale", state="ready"))
    async with world.sessions(expire_on_commit=True) as mine:
        for attempt in range(3):
            job = await mine.get_one(Job, 9400, populate_existing=True)
            if attempt == 0:
                async with world.engine.begin() as other:
                    change = update(Job).where(Job.id == 9400)
                    await other.execute(change.values(version=Job.version + 1))
            job.state = f"tried {attempt}"
            try:
                await mine.commit()
            except StaleDataError:
                await mine.rollback()
                continue
            return str(attempt)
    return "never"


@fine
async def one_object_refreshed(world: World) -> object:
    async with world.sessions() as session:
        order = await session.get_one(Order, (1, 1000))
        await session.execute(
            update(Order).where(Order.number == 1000).values(total=Order.total + 1)
        )
        await session.refresh(order)
        total = order.total
        session.expire(order)
        await session.refresh(order, ["total"])
        await session.rollback()
        return total


@fine
async def cache_kept_warm(world: World) -> int:
    known: list[str] = []

    async def keep() -> None:
        while True:
            async with world.engine.connect() as connection:
                known[:] = (await connection.scalars(select(Customer.name))).all()
            await asyncio.sleep(0.02)

    task = asyncio.create_task(keep())
    await asyncio.sleep(0.12)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return len(known)
