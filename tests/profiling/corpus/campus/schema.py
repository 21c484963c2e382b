"""A university: faculties, their courses and students, enrolments, exams and reserved halls."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import ForeignKey, func, select, text
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    object_session,
    relationship,
)

from tests.profiling.numbered import Numbered

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Campus(DeclarativeBase):
    pass


class Faculty(Numbered, Campus):
    name: Mapped[str]
    courses: Mapped[list[Course]] = relationship(back_populates="faculty", order_by="Course.id")
    students: Mapped[list[Student]] = relationship(back_populates="faculty")


class Hall(Numbered, Campus):
    name: Mapped[str]


class Lecturer(Numbered, Campus):
    name: Mapped[str]


class Course(Numbered, Campus):
    title: Mapped[str]
    points: Mapped[int]
    faculty_id: Mapped[int] = mapped_column(ForeignKey("faculty.id"))
    lecturer_id: Mapped[int] = mapped_column(ForeignKey("lecturer.id"))
    hall_id: Mapped[int] = mapped_column(ForeignKey("hall.id"))
    faculty: Mapped[Faculty] = relationship(back_populates="courses")
    lecturer: Mapped[Lecturer] = relationship()
    hall: Mapped[Hall] = relationship()
    exams: Mapped[list[Exam]] = relationship(back_populates="course", order_by="Exam.id")
    enrolments: Mapped[list[Enrolment]] = relationship(back_populates="course")

    def __str__(self) -> str:
        return f"{self.title} by {self.lecturer.name}"

    @cached_property
    def seats_taken(self) -> int:
        session = object_session(self)
        assert session is not None
        count = select(func.count()).where(Enrolment.course_id == self.id)
        return session.scalar(count) or 0


class Student(Numbered, Campus):
    name: Mapped[str]
    faculty_id: Mapped[int] = mapped_column(ForeignKey("faculty.id"))
    advisor_id: Mapped[int] = mapped_column(ForeignKey("lecturer.id"))
    faculty: Mapped[Faculty] = relationship(back_populates="students")
    advisor: Mapped[Lecturer] = relationship()
    enrolments: Mapped[list[Enrolment]] = relationship(back_populates="student")
    courses: Mapped[list[Course]] = relationship(
        secondary="enrolment", viewonly=True, order_by="Course.id"
    )
    clubs: Mapped[list[Club]] = relationship(secondary="membership", back_populates="students")


class Enrolment(Numbered, Campus):
    student_id: Mapped[int] = mapped_column(ForeignKey("student.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    mark: Mapped[int]
    student: Mapped[Student] = relationship(back_populates="enrolments")
    course: Mapped[Course] = relationship(back_populates="enrolments")


class Exam(Numbered, Campus):
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    day: Mapped[int]
    course: Mapped[Course] = relationship(back_populates="exams")


class Club(Numbered, Campus):
    name: Mapped[str] = mapped_column(unique=True)
    students: Mapped[list[Student]] = relationship(secondary="membership", back_populates="clubs")


class Membership(Campus):
    __tablename__ = "membership"

    student_id: Mapped[int] = mapped_column(ForeignKey("student.id"), primary_key=True)
    club_id: Mapped[int] = mapped_column(ForeignKey("club.id"), primary_key=True)


class Reservation(Numbered, Campus):
    hall_id: Mapped[int] = mapped_column(ForeignKey("hall.id"))
    start: Mapped[int]
    end: Mapped[int]
    hall: Mapped[Hall] = relationship(lazy="joined")


class Term(Numbered, Campus):
    name: Mapped[str]
    current: Mapped[bool]


def fill_campus(connection: Connection) -> None:
    """Store 6 faculties of 4 courses and 7 students, each with 3 enrolments."""
    with Session(connection) as session:
        session.add_all(Faculty(id=n, name=f"faculty {n}") for n in range(1, 7))
        session.add_all(Hall(id=n, name=f"hall {n}") for n in range(1, 6))
        session.add_all(Lecturer(id=n, name=f"lecturer {n}") for n in range(1, 16))
        session.add_all(Club(id=n, name=f"club {n}") for n in range(1, 9))
        session.add_all(Term(name=f"term {n}", current=n == 4) for n in range(1, 6))
        session.flush()
        for n in range(1, 25):
            course = Course(id=n, title=f"course {n}", points=n % 5 + 2, faculty_id=n % 6 + 1)
            course.lecturer_id, course.hall_id = n % 15 + 1, n % 5 + 1
            course.exams = [Exam(day=n + 10 * k) for k in range(3)]
            session.add(course)
        clubs = session.scalars(select(Club).order_by(Club.id)).all()
        for n in range(1, 43):
            student = Student(id=n, name=f"student {n}", faculty_id=n % 6 + 1)
            student.advisor_id = n % 15 + 1
            student.enrolments = [
                Enrolment(course_id=(n * 5 + k * 7) % 24 + 1, mark=(n + k) % 6) for k in range(3)
            ]
            student.clubs = [clubs[n % 8], clubs[(n + 3) % 8]]
            session.add(student)
        session.add_all(
            Reservation(hall_id=n % 5 + 1, start=n, end=n + 4 + n % 3) for n in range(1, 31)
        )
        session.flush()
        if connection.dialect.name == "postgresql":
            next_id = "SELECT setval('club_id_seq', (SELECT max(id) FROM club))"
            session.execute(text(next_id))
        session.commit()
