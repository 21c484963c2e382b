"""Programs that detectors were reported to flag, and that waste nothing."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import Integer, delete, func, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload, subqueryload
from sqlalchemy.orm.attributes import set_committed_value

from tests.profiling.corpus.campus.schema import (
    Club,
    Course,
    Enrolment,
    Exam,
    Faculty,
    Hall,
    Lecturer,
    Membership,
    Reservation,
    Student,
    Term,
)
from tests.profiling.corpus.cases import fine

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.profiling.corpus.cases import World


class LecturerLoader:
    """Collects keys, and asks for all of them when the loop is free."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._wanted: dict[int, asyncio.Future[str]] = {}

    async def load(self, key: int) -> str:
        if not self._wanted:
            self._task = asyncio.create_task(self._send())
        loop = asyncio.get_running_loop()
        return await self._wanted.setdefault(key, loop.create_future())

    async def _send(self) -> None:
        await asyncio.sleep(0)
        wanted, self._wanted = self._wanted, {}
        query = select(Lecturer).where(Lecturer.id.in_(wanted))
        for lecturer in await self._session.scalars(query):
            wanted[lecturer.id].set_result(lecturer.name)


@fine
async def a_data_loader(world: World) -> list[str]:
    async with world.sessions() as session:
        courses = (await session.scalars(select(Course))).all()
        loader = LecturerLoader(session)
        return list(await asyncio.gather(*(loader.load(c.lecturer_id) for c in courses)))


@fine
async def a_setting_kept_by_a_cache(world: World) -> list[str]:
    with Session(world.server) as session:

        @lru_cache
        def term() -> str:
            return session.scalars(select(Term.name).where(Term.current)).one()

        return [f"{f.name} {term()}" for f in session.scalars(select(Faculty)).all()]


@fine
async def got_from_the_identity_map(world: World) -> list[str]:
    with Session(world.server) as session:
        students = session.scalars(select(Student)).all()
        enrolments = session.scalars(select(Enrolment)).all()
        names = [session.get_one(Student, each.student_id).name for each in enrolments]
        return names if students else []


async def first_name(world: World) -> str:
    async with world.sessions() as session:
        return (await session.get_one(Lecturer, 5)).name


@fine
async def the_same_in_two_requests(world: World) -> list[str]:
    return [await first_name(world), await first_name(world)]


@fine
async def savepoints_for_what_may_be_there(world: World) -> int:
    stored = 0
    async with world.sessions() as session:
        for name in ("club 1", "chess", "club 2", "go"):
            try:
                async with session.begin_nested():
                    session.add(Club(name=name))
                    await session.flush()
                stored += 1
            except IntegrityError:
                continue
        await session.rollback()
    return stored


@fine
async def updates_in_batches(world: World) -> int:
    total = 0
    async with world.sessions() as session:
        while True:
            batch = select(Enrolment.id).where(Enrolment.mark == 3).limit(7)
            done = update(Enrolment).where(Enrolment.id.in_(batch.scalar_subquery()))
            count = (await session.execute(done.values(mark=30))).rowcount
            total += count
            if not count:
                return total


@fine
async def polled_with_a_pause(world: World) -> int:
    async with world.sessions() as session:
        for _ in range(4):
            waiting = await session.scalar(select(func.count(Term.id)).where(Term.current))
            await asyncio.sleep(0.001)
    return waiting or 0


@fine
async def two_marks_counted(world: World) -> list[int]:
    with Session(world.server) as session:

        def count(mark: int) -> int:
            return session.scalar(select(func.count()).where(Enrolment.mark == mark)) or 0

        return [count(0), count(5)]


@fine
async def children_attached_by_hand(world: World) -> list[int]:
    with Session(world.server) as session:
        courses = session.scalars(select(Course)).all()
        exams: dict[int, list[Exam]] = {course.id: [] for course in courses}
        for exam in session.scalars(select(Exam).where(Exam.course_id.in_(exams))):
            exams[exam.course_id].append(exam)
        for course in courses:
            set_committed_value(course, "exams", exams[course.id])
        return [exam.day for course in courses for exam in course.exams]


@fine
async def a_recursive_statement(world: World) -> list[int]:
    with Session(world.server) as session:
        days = select(literal(1).label("day")).cte(recursive=True)
        days = days.union_all(select(days.c.day + 7).where(days.c.day < 40))
        query = select(days.c.day, func.count(Exam.id)).outerjoin(Exam, Exam.day == days.c.day)
        return [count for _, count in session.execute(query.group_by(days.c.day))]


@fine
async def streamed_with_their_parts(world: World) -> int:
    async with world.sessions() as session:
        query = select(Student).options(selectinload(Student.clubs))
        students = await session.stream_scalars(query.execution_options(yield_per=100))
        return sum([len(student.clubs) async for student in students])


@fine
async def subqueries_read_later(world: World) -> int:
    with Session(world.sqlite) as session:
        query = select(Faculty).options(subqueryload(Faculty.students))
        faculties = session.scalars(query).all()

    def total() -> int:
        return sum(len(faculty.students) for faculty in faculties)

    return total()


@fine
async def only_the_keys_are_read(world: World) -> dict[int, int]:
    counts: dict[int, int] = {}
    with Session(world.server) as session:
        for student in session.scalars(select(Student)):
            counts[student.faculty_id] = counts.get(student.faculty_id, 0) + 1
    return counts


@fine
async def read_again_after_expiring(world: World) -> list[str]:
    with Session(world.server) as session:
        before = [hall.name for hall in session.scalars(select(Hall).order_by(Hall.id))]
        session.expire_all()
        after = [hall.name for hall in session.scalars(select(Hall).order_by(Hall.id))]
        return before + after


@fine
async def copied_by_the_server(world: World) -> int:
    async with world.sessions() as session:
        old = select(Student.id, literal(5)).where(Student.id % 8 == 3)
        keys = [Membership.student_id, Membership.club_id]
        await session.execute(insert(Membership).from_select(keys, old))
        gone = delete(Membership).where(Membership.club_id == 5)
        return (await session.execute(gone)).rowcount


@fine
async def copied_between_databases(world: World) -> int:
    with world.sqlite.connect() as source, world.server.connect() as target:
        columns = Reservation.hall_id, Reservation.start, Reservation.end
        rows = source.execute(select(*columns).order_by(Reservation.id)).mappings().all()
        target.execute(insert(Reservation), [dict(row) for row in rows])
        return len(rows)


@fine
async def a_form_of_one_course(world: World) -> list[str]:
    with Session(world.server) as session:
        course = session.get_one(Course, 6)
        exams = [str(exam.day) for exam in course.exams]
        return [course.title, course.faculty.name, course.lecturer.name, course.hall.name, *exams]


@fine
async def a_page_and_its_total(world: World) -> tuple[int, list[str]]:
    async with world.sessions() as session:
        query = select(Student).where(Student.faculty_id == 3)
        total = await session.scalar(select(func.count()).select_from(query.subquery()))
        page = await session.scalars(query.order_by(Student.id).limit(5).offset(2))
        return total or 0, [student.name for student in page]


@fine
async def checked_before_and_after(world: World) -> list[int]:
    async with world.sessions() as session:
        count = select(func.count()).where(Enrolment.course_id == 11)
        before = await session.scalar(count)
        session.add(Enrolment(student_id=1, course_id=11, mark=2))
        await session.flush()
        return [before or 0, await session.scalar(count) or 0]


@fine
async def created_with_the_key_of_each(world: World) -> int:
    async with world.sessions() as session:
        for n in range(7):
            club = Club(name=f"new club {n}")
            session.add(club)
            await session.flush()
            session.add(Membership(student_id=n + 1, club_id=club.id))
        await session.flush()
        return n


@fine
async def each_tenant_by_its_role(world: World) -> list[int]:
    counts = []
    async with world.sessions() as session:
        for faculty_id in (1, 2, 3, 4):
            await session.execute(text(f"SET LOCAL app.faculty = {faculty_id}"))
            mine = Student.faculty_id == func.current_setting("app.faculty").cast(Integer)
            counts.append(await session.scalar(select(func.count(Student.id)).where(mine)) or 0)
    return counts


@fine
async def a_chain_of_three_services(world: World) -> str:
    with Session(world.server) as session:
        student = session.scalars(select(Student).where(Student.name == "student 9")).one()
        advisor = session.get_one(Lecturer, student.advisor_id)
        faculty = session.scalars(select(Faculty).where(Faculty.id == student.faculty_id)).one()
        return f"{student.name} {advisor.name} {faculty.name}"


@fine
async def a_commit_for_each_of_its_own(world: World) -> int:
    points = {3: 2, 8: 4, 11: 6, 14: 8}
    with Session(world.server) as session:
        for course_id, number in points.items():
            session.get_one(Course, course_id).points = number
            session.commit()
    return len(points)
