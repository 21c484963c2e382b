"""Reads by psycopg and SQLite, without async."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from csv import DictReader
from io import StringIO
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

from sqlalchemy import func, literal, select
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import Session, aliased, joinedload, lazyload, selectinload

from tests.profiling.corpus.campus.schema import (
    Club,
    Course,
    Enrolment,
    Exam,
    Faculty,
    Lecturer,
    Reservation,
    Student,
    Term,
)
from tests.profiling.corpus.pairs import paired

if TYPE_CHECKING:
    from tests.profiling.corpus.cases import World

N, UNUSED, OVER = "n-plus-one", "unused-eager-load", "over-fetch"
PRODUCT, DUPLICATE, JOINED = "cartesian-product", "duplicate-statement", "joined-collection"


async def sorted_by_loaded_faculty(world: World) -> list[str]:
    with Session(world.sqlite) as session:
        students = session.scalars(select(Student).options(joinedload(Student.faculty))).all()
        return [s.name for s in sorted(students, key=lambda s: (s.faculty.name, s.id))]


@paired(sorted_by_loaded_faculty, (N, "Student.faculty"))
async def the_key_of_a_sort(world: World) -> list[str]:
    with Session(world.sqlite) as session:
        students = session.scalars(select(Student)).all()
        return [s.name for s in sorted(students, key=lambda s: (s.faculty.name, s.id))]  # waste


async def advisors_at_once(world: World) -> list[str]:
    with Session(world.server) as session:
        students = session.scalars(select(Student).options(joinedload(Student.advisor)))
        return list(map(attrgetter("advisor.name"), students))


@paired(advisors_at_once, (N, "Student.advisor"))
async def mapped_by_an_attrgetter(world: World) -> list[str]:
    with Session(world.server) as session:
        students = session.scalars(select(Student)).all()
        return list(map(attrgetter("advisor.name"), students))  # waste


async def printed_with_lecturers(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Course).options(joinedload(Course.lecturer))
        return [str(course) for course in session.scalars(query)]


@paired(printed_with_lecturers, (N, "Course.lecturer"))
async def printed_for_a_log(world: World) -> list[str]:
    with Session(world.server) as session:
        return [f"{course}" for course in session.scalars(select(Course)).all()]


def encode(value: object) -> Any:
    if isinstance(value, Enrolment):
        return {"mark": value.mark, "course": value.course.title}  # waste
    raise TypeError(value)


async def encoded_with_courses(world: World) -> str:
    with Session(world.sqlite) as session:
        loader = joinedload(Enrolment.course).load_only(Course.title)
        query = select(Enrolment).options(loader).order_by(Enrolment.id)
        return json.dumps(session.scalars(query.limit(30)).all(), default=encode)


@paired(encoded_with_courses, (N, "Enrolment.course"))
async def encoded_by_a_default(world: World) -> str:
    with Session(world.sqlite) as session:
        query = select(Enrolment).order_by(Enrolment.id).limit(30)
        return json.dumps(session.scalars(query).all(), default=encode)


async def seats_of_all_counted(world: World) -> list[int]:
    with Session(world.server) as session:
        grouped = select(Enrolment.course_id, func.count()).group_by(Enrolment.course_id)
        counts = dict(tuple(row) for row in session.execute(grouped))
        return [counts.get(c.id, 0) for c in session.scalars(select(Course))]


@paired(seats_of_all_counted, N)
async def a_cached_property_of_each(world: World) -> list[int]:
    with Session(world.server) as session:
        courses = session.scalars(select(Course)).all()
        return [course.seats_taken for course in courses]


SIGN_UPS = "student,club\nann,club 3\nbob,club 1\ncid,club 6\ndan,club 3\neve,club 2\n"


async def clubs_of_the_file(world: World) -> list[int]:
    names = [row["club"] for row in DictReader(StringIO(SIGN_UPS))]
    with Session(world.server) as session:
        ids = {c.name: c.id for c in session.scalars(select(Club).where(Club.name.in_(names)))}
        return [ids[name] for name in names]


def get_or_create(session: Session, name: str) -> Club:
    club = session.query(Club).filter_by(name=name).one_or_none()  # waste
    if club is None:
        club = Club(name=name)
        session.add(club)
    return club


@paired(clubs_of_the_file, N)
async def get_or_create_for_each_line(world: World) -> list[int]:
    with Session(world.server) as session:
        rows = DictReader(StringIO(SIGN_UPS))
        return [get_or_create(session, row["club"]).id for row in rows]


async def courses_in_full(world: World) -> list[tuple[str, int]]:
    with Session(world.server) as session:
        query = select(Course).options(selectinload(Course.exams)).where(Course.points > 4)
        return [(course.title, len(course.exams)) for course in session.scalars(query)]


def in_full(session: Session, course_id: int) -> Course:
    query = session.query(Course).options(selectinload(Course.exams))
    return query.filter(Course.id == course_id).one()  # waste


@paired(courses_in_full, N)
async def ids_first_and_then_each(world: World) -> list[tuple[str, int]]:
    with Session(world.server) as session:
        ids = session.query(Course.id).filter(Course.points > 4).all()
        courses = [in_full(session, course_id) for (course_id,) in ids]
        return [(course.title, len(course.exams)) for course in courses]


async def members_by_their_ids(world: World) -> list[bool]:
    with Session(world.sqlite) as session:
        inside = select(Enrolment.student_id).where(Enrolment.course_id == 7)
        ids = {*session.scalars(inside)}
        return [student.id in ids for student in session.scalars(select(Student))]


@paired(members_by_their_ids, (N, "Student.courses"))
async def membership_in_a_collection(world: World) -> list[bool]:
    with Session(world.sqlite) as session:
        course = session.get_one(Course, 7)
        students = session.query(Student).all()
        return [course in student.courses for student in students]  # waste


async def failed_at_once(world: World) -> list[int]:
    with Session(world.server) as session:
        grouped = select(Enrolment.course_id, func.count()).where(Enrolment.mark == 0)
        counts = dict(tuple(row) for row in session.execute(grouped.group_by(Enrolment.course_id)))
        return [counts.get(key, 0) for key in session.scalars(select(Course.id))]


@paired(failed_at_once, N)
async def the_old_count_of_each(world: World) -> list[int]:
    counts = []
    with Session(world.server) as session:
        for (course_id,) in session.query(Course.id):
            failed = session.query(Enrolment).filter_by(course_id=course_id, mark=0)
            counts.append(failed.count())  # waste
    return counts


async def days_selected_in(world: World) -> list[int]:
    with Session(world.server) as session:
        loader = selectinload(Faculty.courses).options(selectinload(Course.exams))
        faculties = session.scalars(select(Faculty).options(loader))
        return [exam.day for f in faculties for course in f.courses for exam in course.exams]


@paired(days_selected_in, (JOINED, "Faculty.courses"))
async def two_levels_joined(world: World) -> list[int]:
    with Session(world.server) as session:
        loader = joinedload(Faculty.courses).options(joinedload(Course.exams))
        faculties = session.scalars(select(Faculty).options(loader)).unique()  # waste
        return [exam.day for f in faculties for course in f.courses for exam in course.exams]


async def starts_without_halls(world: World) -> int:
    with Session(world.sqlite) as session:
        query = select(Reservation).options(lazyload(Reservation.hall))
        return sum(reservation.start for reservation in session.scalars(query))


@paired(starts_without_halls, (UNUSED, "Reservation.hall"))
async def joined_by_default(world: World) -> int:
    with Session(world.sqlite) as session:
        return sum(each.start for each in session.scalars(select(Reservation)))  # waste


async def best_five(world: World) -> list[int]:
    with Session(world.server) as session:
        query = select(Enrolment).order_by(Enrolment.mark.desc(), Enrolment.id).limit(5)
        return [enrolment.mark for enrolment in session.scalars(query)]


@paired(best_five, OVER)
async def cut_after_loading(world: World) -> list[int]:
    with Session(world.server) as session:
        query = select(Enrolment).order_by(Enrolment.mark.desc(), Enrolment.id)
        return [enrolment.mark for enrolment in session.scalars(query).all()[:5]]  # waste


async def courses_of_the_students_faculty(world: World) -> list[str]:
    query = select(Student.name, Course.title).join(Course, Course.faculty_id == Student.faculty_id)
    with Session(world.sqlite) as session:
        rows = session.execute(query.where(Student.id < 8))
        return [f"{name}: {title}" for name, title in rows]


@paired(courses_of_the_students_faculty, PRODUCT)
async def filtered_in_the_program(world: World) -> list[str]:
    columns = Student.name, Student.faculty_id, Course.title, Course.faculty_id
    with Session(world.sqlite) as session, catch_warnings():
        simplefilter("ignore", SAWarning)
        rows = session.execute(select(*columns).where(Student.id < 8)).all()  # waste
        return [f"{name}: {title}" for name, mine, title, of in rows if mine == of]


async def lecturers_of_one_query(world: World) -> list[str]:
    with Session(world.server) as session:
        query = select(Course.id, Lecturer.name).join(Course.lecturer).where(Course.points == 4)
        return [name for _, name in session.execute(query.order_by(Course.id))]


@paired(lecturers_of_one_query, N)
async def mapped_over_a_pool(world: World) -> list[str]:
    def name(lecturer_id: int) -> str:
        with Session(world.server) as session:
            query = select(Lecturer.name).where(Lecturer.id == lecturer_id)
            return session.execute(query).scalar_one()  # waste

    with Session(world.server) as session:
        query = select(Course.lecturer_id).where(Course.points == 4).order_by(Course.id)
        ids = session.scalars(query).all()
    with ThreadPoolExecutor(3) as pool:
        return list(pool.map(name, ids))


def current_term(session: Session) -> str:
    return session.scalars(select(Term.name).where(Term.current)).one()  # waste


def heading(session: Session, faculty: Faculty) -> str:
    return f"{faculty.name}, {current_term(session)}"


async def the_term_once(world: World) -> list[str]:
    with Session(world.server) as session:
        term = current_term(session)
        return [f"{faculty.name}, {term}" for faculty in session.scalars(select(Faculty))]


@paired(the_term_once, DUPLICATE)
async def a_setting_for_each_heading(world: World) -> list[str]:
    with Session(world.server) as session:
        faculties = session.scalars(select(Faculty)).all()
        return [heading(session, faculty) for faculty in faculties]


async def overlaps_by_a_self_join(world: World) -> int:
    other = aliased(Reservation)
    overlap = (Reservation.hall_id == other.hall_id) & (Reservation.id < other.id)
    overlap &= (Reservation.start < other.end) & (Reservation.end > other.start)
    with Session(world.server) as session:
        query = select(func.count()).select_from(Reservation).join(other, overlap)
        return session.scalar(query) or 0


@paired(overlaps_by_a_self_join, N)
async def overlaps_of_each(world: World) -> int:
    total = 0
    with Session(world.server) as session:
        for mine in session.scalars(
            select(Reservation).options(lazyload(Reservation.hall)).order_by(Reservation.id)
        ).all():
            query = select(func.count(Reservation.id)).where(
                Reservation.hall_id == mine.hall_id,
                Reservation.id > mine.id,
                Reservation.start < mine.end,
                Reservation.end > mine.start,
            )
            total += session.scalar(query) or 0  # waste
    return total


async def examined_by_one_query(world: World) -> list[bool]:
    with Session(world.server) as session:
        days = {*session.scalars(select(Exam.course_id).where(Exam.day > 35))}
        return [key in days for key in session.scalars(select(Course.id).order_by(Course.id))]


@paired(examined_by_one_query, N)
async def the_old_exists_of_each(world: World) -> list[bool]:
    found = []
    with Session(world.server) as session:
        for course in session.query(Course).order_by(Course.id).all():
            late = session.query(Exam).filter(Exam.course_id == course.id, Exam.day > 35)
            found.append(bool(session.query(literal(True)).filter(late.exists()).scalar()))  # waste
    return found
