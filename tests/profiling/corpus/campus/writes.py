"""Reads and writes by asyncpg, and writes by psycopg and SQLite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session, joinedload, selectinload

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
)
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from tests.profiling.corpus.cases import World

N, HIDDEN = "n-plus-one", "hidden-load"


class StudentRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def get_by_id(self, student_id: int) -> Student | None:
        query = select(Student).where(Student.id == student_id)
        result = await self._session.execute(query)  # waste
        return result.scalar_one_or_none()

    async def get_many(self, ids: Sequence[int]) -> dict[int, Student]:
        found = await self._session.scalars(select(Student).where(Student.id.in_(ids)))
        return {student.id: student for student in found}


class MarkService:
    def __init__(self, session: AsyncSession) -> None:
        self._session, self._students = session, StudentRepository(session)

    async def _enrolments(self) -> Sequence[Enrolment]:
        query = select(Enrolment).where(Enrolment.course_id == 5).order_by(Enrolment.id)
        return (await self._session.scalars(query)).all()

    async def names(self) -> list[str]:
        names = []
        for enrolment in await self._enrolments():
            student = await self._students.get_by_id(enrolment.student_id)
            names.append(student.name if student else "")
        return names

    async def names_at_once(self) -> list[str]:
        enrolments = await self._enrolments()
        students = await self._students.get_many([each.student_id for each in enrolments])
        return [students[each.student_id].name for each in enrolments]


async def a_repository_of_many(world: World) -> list[str]:
    async with world.sessions() as session:
        return await MarkService(session).names_at_once()


@paired(a_repository_of_many, N)
async def a_repository_of_one_by_one(world: World) -> list[str]:
    async with world.sessions() as session:
        return await MarkService(session).names()


async def resolved_in_one_batch(world: World) -> list[str]:
    async with world.sessions() as session:
        courses = (await session.scalars(select(Course).limit(9))).all()
        ids = [course.lecturer_id for course in courses]
        found = await session.scalars(select(Lecturer).where(Lecturer.id.in_(ids)))
        names = {lecturer.id: lecturer.name for lecturer in found}
        return [names[course.lecturer_id] for course in courses]


@paired(resolved_in_one_batch, N)
async def resolvers_side_by_side(world: World) -> list[str]:
    async def resolve_lecturer(course: Course) -> str:
        async with world.sessions() as session:
            query = select(Lecturer).where(Lecturer.id == course.lecturer_id)
            return (await session.scalars(query)).one().name  # waste

    async with world.sessions() as session:
        courses = (await session.scalars(select(Course).limit(9))).all()
    return list(await asyncio.gather(*map(resolve_lecturer, courses)))


async def members_inserted_at_once(world: World) -> int:
    with Session(world.server) as session:
        ids = session.scalars(select(Student.id).where(Student.id % 8 == 1)).all()
        session.execute(insert(Membership), [{"student_id": key, "club_id": 8} for key in ids])
        return len(ids)


@paired(members_inserted_at_once, N)
async def an_insert_into_the_link_table(world: World) -> int:
    with Session(world.server) as session:
        ids = session.scalars(select(Student.id).where(Student.id % 8 == 1)).all()
        for student_id in ids:
            member = insert(Membership.__table__).values(student_id=student_id, club_id=8)
            session.execute(member)  # waste
        return len(ids)


async def clubs_loaded_and_cleared(world: World) -> int:
    with Session(world.server) as session:
        query = select(Student).where(Student.faculty_id == 2).options(selectinload(Student.clubs))
        students = session.scalars(query).all()
        for student in students:
            student.clubs.clear()
        session.flush()
        return len(students)


@paired(clubs_loaded_and_cleared, (N, "Student.clubs"))
async def cleared_one_by_one(world: World) -> int:
    with Session(world.server) as session:
        students = session.scalars(select(Student).where(Student.faculty_id == 2)).all()
        for student in students:
            student.clubs.clear()  # waste
        session.flush()
        return len(students)


async def best_by_distinct_on(world: World) -> list[int]:
    async with world.sessions() as session:
        best = select(Enrolment.student_id, func.max(Enrolment.mark))
        best = best.where(Enrolment.student_id < 16).group_by(Enrolment.student_id)
        marks = dict(tuple(row) for row in await session.execute(best))
        return [marks[key] for key in sorted(marks)]


@paired(best_by_distinct_on, N)
async def best_of_each_with_a_limit(world: World) -> list[int]:
    marks = []
    async with world.sessions() as session:
        ids = await session.scalars(select(Student.id).where(Student.id < 16).order_by(Student.id))
        for student_id in ids.all():
            best = select(Enrolment.mark).where(Enrolment.student_id == student_id)
            best = best.order_by(Enrolment.mark.desc()).limit(1)
            marks.append(await session.scalar(best))  # waste
    return marks


async def returned_by_the_update(world: World) -> list[int]:
    async with world.sessions() as session:
        raised = update(Enrolment).where(Enrolment.course_id == 9).values(mark=Enrolment.mark + 1)
        result = await session.scalars(raised.returning(Enrolment))
        return [enrolment.mark for enrolment in result]


@paired(returned_by_the_update, N)
async def refreshed_after_the_update(world: World) -> list[int]:
    async with world.sessions() as session:
        mine = Enrolment.course_id == 9
        enrolments = (await session.scalars(select(Enrolment).where(mine))).all()
        raised = update(Enrolment).where(mine).values(mark=Enrolment.mark + 1)
        await session.execute(raised, execution_options={"synchronize_session": False})
        for enrolment in enrolments:
            await session.refresh(enrolment)  # waste
        return [enrolment.mark for enrolment in enrolments]


class ExamShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    day: int


class CourseShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    title: str
    exams: list[ExamShown]


class FacultyShown(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    name: str
    courses: list[CourseShown]


async def shown_with_all_below(world: World) -> list[FacultyShown]:
    loader = selectinload(Faculty.courses).options(selectinload(Course.exams))
    async with world.sessions() as session:
        faculties = await session.scalars(select(Faculty).options(loader).order_by(Faculty.id))
        return [FacultyShown.model_validate(faculty) for faculty in faculties]


@paired(shown_with_all_below, (N, "Faculty.courses"), (N, "Course.exams"))
async def shown_level_by_level(world: World) -> list[FacultyShown]:
    def shown(session: Session) -> list[FacultyShown]:
        faculties = session.scalars(select(Faculty).order_by(Faculty.id)).all()
        return [FacultyShown.model_validate(faculty) for faculty in faculties]  # waste

    async with world.sessions() as session:
        return await session.run_sync(shown)


async def places_by_an_executemany(world: World) -> int:
    with world.sqlite.begin() as connection:
        ids = connection.scalars(select(Reservation.id).where(Reservation.hall_id == 2)).all()
        moved = update(Reservation.__table__).where(Reservation.id == bindparam("key"))
        rows = [{"key": key, "at": n} for n, key in enumerate(ids)]
        connection.execute(moved.values(start=bindparam("at")), rows)
        connection.rollback()
        return len(ids)


@paired(places_by_an_executemany, N)
async def enumerated_updates_of_text(world: World) -> int:
    with world.sqlite.begin() as connection:
        ids = connection.scalars(select(Reservation.id).where(Reservation.hall_id == 2)).all()
        for n, key in enumerate(ids):
            moved = text("UPDATE reservation SET start = :at WHERE id = :key")
            connection.execute(moved, {"at": n, "key": key})  # waste
        connection.rollback()
        return len(ids)


async def halls_locked_in_order(world: World) -> list[str]:
    async with world.sessions() as session:
        wanted = select(Reservation.hall_id).where(Reservation.start < 12)
        ids = sorted({*await session.scalars(wanted)})
        query = select(Hall).where(Hall.id.in_(ids)).order_by(Hall.id).with_for_update()
        return [hall.name for hall in await session.scalars(query)]


@paired(halls_locked_in_order, N)
async def each_hall_got_with_a_lock(world: World) -> list[str]:
    names = []
    async with world.sessions() as session:
        wanted = select(Reservation.hall_id).where(Reservation.start < 12)
        for hall_id in sorted({*await session.scalars(wanted)}):
            hall = await session.get_one(Hall, hall_id, with_for_update=True)  # waste
            names.append(hall.name)
    return names


async def merged_after_loading(world: World) -> int:
    with Session(world.server) as session:
        students = session.scalars(select(Student).where(Student.faculty_id == 4)).all()
    with Session(world.server) as session:
        ids = [student.id for student in students]
        return len(session.scalars(select(Student).where(Student.id.in_(ids))).all())


@paired(merged_after_loading, N)
async def detached_and_merged(world: World) -> int:
    with Session(world.server) as session:
        students = session.scalars(select(Student).where(Student.faculty_id == 4)).all()
    with Session(world.server) as session:
        for student in students:
            session.merge(student)  # waste
        return len(students)


async def closed_by_one_update(world: World) -> int:
    async with world.sessions() as session:
        names = [f"club {n}" for n in range(2, 8)]
        renamed = update(Club).where(Club.name.in_(names)).values(name=Club.name + "!")
        return (await session.execute(renamed)).rowcount


@paired(closed_by_one_update, N)
async def an_update_by_name_of_each(world: World) -> int:
    count = 0
    async with world.sessions() as session:
        for n in range(2, 8):
            renamed = update(Club).where(Club.name == f"club {n}").values(name=Club.name + "!")
            count += (await session.execute(renamed)).rowcount  # waste
    return count


async def names_with_the_enrolments(world: World) -> list[str]:
    async with world.sessions() as session:
        query = select(Enrolment).where(Enrolment.mark > 4).options(joinedload(Enrolment.student))
        return [e.student.name for e in await session.scalars(query.order_by(Enrolment.id))]


@paired(names_with_the_enrolments, (N, "Enrolment.student"))
async def awaitable_attributes(world: World) -> list[str]:
    def names(session: Session) -> list[str]:
        query = select(Enrolment).where(Enrolment.mark > 4).order_by(Enrolment.id)
        found = []
        for enrolment in session.scalars(query).all():
            student = enrolment.student  # waste
            found.append(student.name)
        return found

    async with world.sessions() as session:
        return await session.run_sync(names)


async def days_with_one_query(world: World) -> list[int]:
    async with world.sessions() as session:
        query = select(Exam.day).join(Exam.course).where(Course.points == 3)
        return list(await session.scalars(query))


@paired(days_with_one_query, N)
async def days_by_comprehension(world: World) -> list[int]:
    async with world.sessions() as session:
        ids = (await session.scalars(select(Course.id).where(Course.points == 3))).all()
        return [
            day
            for key in ids
            for day in await session.scalars(select(Exam.day).where(Exam.course_id == key))  # waste
        ]
