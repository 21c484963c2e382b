"""Programs that detectors were reported to flag, and that waste nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, inspect, select
from sqlalchemy.orm import Session, attributes, contains_eager, joinedload, selectinload

from tests.profiling.corpus.reported.pairs import clean
from tests.profiling.corpus.reported.tracker import Comment, Label, Member, Project, Task, Team

if TYPE_CHECKING:
    from collections.abc import Iterable


@clean
def counted_because_they_are_loaded(session: Session) -> list[int]:
    def number_of_tasks(project: Project) -> int:
        return 0 if "tasks" in inspect(project).unloaded else len(project.tasks)

    query = select(Project).options(selectinload(Project.tasks))
    return [number_of_tasks(project) for project in session.scalars(query)]


@clean
def only_that_of_the_second(session: Session) -> list[str]:
    projects = session.scalars(select(Project).where(Project.id.in_([1, 2, 3]))).all()
    second = next(project for project in projects if project.id == 2)
    return [task.title for task in second.tasks]


@clean
def two_keys_to_a_class(session: Session) -> list[tuple[str, str]]:
    query = select(Project).options(joinedload(Project.lead), joinedload(Project.reviewer))
    return [(project.lead.name, project.reviewer.name) for project in session.scalars(query)]


@clean
def three_keys_to_a_class(session: Session) -> list[str]:
    people = [selectinload(key) for key in (Project.lead, Project.reviewer, Project.backup)]
    found = []
    for project in session.scalars(select(Project).options(*people)):
        found += [project.lead.name, project.reviewer.name, project.backup.name]
    return found


@clean
def eager_without_parents(session: Session) -> list[str]:
    query = select(Task).where(Task.rank > 9000).options(selectinload(Task.labels))
    return [task.words for task in session.scalars(query)]


@clean
def eager_levels_without_children(session: Session) -> list[str]:
    path = selectinload(Task.assignee).selectinload(Member.team)
    query = select(Task).where(Task.assignee_id.is_(None)).options(path)
    return [task.assignee.team.name for task in session.scalars(query) if task.assignee]


@clean
def created_and_read_once(session: Session) -> str:
    comment = Comment(body="new", task_id=3, author_id=4)
    session.add(comment)
    session.flush()
    return comment.task.title + comment.author.name


@clean
def through_what_was_just_set(session: Session) -> str:
    project = session.get_one(Project, 1)
    project.lead = session.get_one(Member, 7)
    session.flush()
    return project.lead.team.name


@clean
def a_condition_that_is_rarely_met(session: Session) -> list[str]:
    query = select(Task).options(joinedload(Task.assignee)).where(Task.rank < 30)
    tasks = session.scalars(query).all()
    return [task.assignee.name for task in tasks if task.title == "urgent" and task.assignee]


@clean
def many_to_many_preloaded(session: Session) -> list[int]:
    query = select(Task).options(selectinload(Task.labels))
    return [len([label.word for label in task.labels]) for task in session.scalars(query)]


@clean
def indexed_by_the_joined(session: Session) -> dict[str, Task]:
    session.scalars(select(Task).where(Task.project_id == 2)).first()
    query = select(Task).where(Task.project_id < 4).options(joinedload(Task.project))
    return {task.project.title: task for task in session.scalars(query)}


@clean
def eight_separate_requests(session: Session) -> list[str]:
    def request(number: int) -> str:
        with Session(session.get_bind()) as own:
            return own.get_one(Project, number).title

    return [request(number) for number in range(1, 9)]


@clean
def alone_and_among_others(session: Session) -> str:
    project = session.get_one(Project, 4)
    titles = [other.title for other in session.scalars(select(Project))]
    return project.lead.name + titles[0]


@clean
def from_the_identity_map(session: Session) -> list[str]:
    members = {member.id: member for member in session.scalars(select(Member))}
    projects = session.scalars(select(Project)).all()
    return [project.lead.name for project in projects if project.lead_id in members]


@clean
def pages_of_tasks_by_key(session: Session) -> list[str]:
    titles: list[str] = []
    last = 0
    while tasks := session.scalars(select(Task).where(Task.id > last).limit(10)).all():
        titles += [task.title for task in tasks]
        last = tasks[-1].id
    return titles


@clean
def batch_loader(session: Session) -> list[str]:
    def load(ids: Iterable[int]) -> dict[int, Member]:
        query = select(Member).where(Member.id.in_({*ids}))
        return {member.id: member for member in session.scalars(query)}

    comments = session.scalars(select(Comment).limit(40)).all()
    authors = load(comment.author_id for comment in comments)
    teams = session.scalars(select(Team).where(Team.id.in_({a.team_id for a in authors.values()})))
    return [authors[comment.author_id].name for comment in comments] + [t.name for t in teams]


@clean
def create_commit_refresh(session: Session) -> list[int]:
    def endpoint(word: str) -> int:
        with Session(session.get_bind()) as own:
            label = Label(word=word)
            own.add(label)
            own.commit()
            own.refresh(label)
            number = label.id
            own.delete(label)
            own.commit()
            return number

    return [endpoint(word) for word in ("a", "b", "c", "d")]


@clean
def read_by_inspection(session: Session) -> int:
    query = select(Project).options(selectinload(Project.tasks), joinedload(Project.lead))
    total = 0
    for project in session.scalars(query):
        total += len([task.title for task in inspect(project).attrs.tasks.value])
        lead = attributes.get_attribute(project, "lead")
        total += len(lead.name)
    return total


@clean
def joined_by_the_program(session: Session) -> list[str]:
    query = select(Comment).join(Comment.author).options(contains_eager(Comment.author))
    return [comment.author.name for comment in session.scalars(query.where(Member.id < 20))]


@clean
def one_flush_of_many(session: Session) -> int:
    tasks = session.scalars(select(Task)).all()
    for task in tasks:
        task.rank += 1
    session.flush()
    session.execute(insert(Label), [{"word": f"new {n}"} for n in range(20)])
    return len(tasks)
