"""Reads that detectors were reported to miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select
from sqlalchemy.orm import joinedload, selectin_polymorphic, selectinload, undefer

from tests.profiling.corpus.reported.pairs import reported
from tests.profiling.corpus.reported.tracker import (
    Attachment,
    Comment,
    CommentSchema,
    Document,
    Label,
    Member,
    Project,
    Task,
    Team,
)

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

N, UNUSED = "n-plus-one", "unused-eager-load"


def counts_at_once(session: Session) -> list[int]:
    grouped = select(Task.project_id, func.count()).group_by(Task.project_id)
    counts = dict(tuple(row) for row in session.execute(grouped))
    return [counts.get(project.id, 0) for project in session.scalars(select(Project))]


@reported(counts_at_once, N)
def count_of_the_tasks_of_each(session: Session) -> list[int]:
    counts = []
    for project in session.scalars(select(Project)).all():
        count = select(func.count()).where(Task.project_id == project.id)
        counts.append(session.scalar(count))  # waste
    return counts


def done_tasks_with_criteria(session: Session) -> list[str]:
    query = select(Project).options(selectinload(Project.tasks.and_(Task.done)))
    return [task.title for project in session.scalars(query) for task in project.tasks]


@reported(done_tasks_with_criteria, N)
def done_tasks_of_each(session: Session) -> list[str]:
    titles = []
    for project in session.scalars(select(Project)).all():
        query = select(Task).where(Task.project_id == project.id, Task.done)
        titles += [task.title for task in session.scalars(query)]  # waste
    return titles


WORDS = [f"label {n}" for n in range(1, 11)]


def words_at_once(session: Session) -> list[int]:
    ids = {label.word: label.id for label in session.scalars(select(Label))}
    return [ids[word] for word in WORDS]


@reported(words_at_once, N)
def find_or_create_by_word(session: Session) -> list[int]:
    ids = []
    for word in WORDS:
        label = session.scalars(select(Label).where(Label.word == word)).first()  # waste
        if label is None:
            label = Label(word=word)
            session.add(label)
        ids.append(label.id)
    return ids


def titles_taken_at_once(session: Session) -> list[bool]:
    tasks = session.scalars(select(Task).limit(20)).all()
    titles = [f"{task.title}0" for task in tasks]
    taken = {*session.scalars(select(Task.title).where(Task.title.in_(titles)))}
    return [title in taken for title in titles]


@reported(titles_taken_at_once, N)
def validation_of_uniqueness(session: Session) -> list[bool]:
    tasks = session.scalars(select(Task).limit(20)).all()
    return [
        bool(session.scalar(select(exists().where(Task.title == f"{task.title}0"))))  # waste
        for task in tasks
    ]


def backups_at_once(session: Session) -> list[str]:
    query = select(Project).options(joinedload(Project.backup))
    return [project.backup.name for project in session.scalars(query)]


@reported(backups_at_once, (N, "Project.backup"))
def the_third_key_to_a_class(session: Session) -> list[str]:
    projects = session.scalars(select(Project)).all()
    return [project.backup.name for project in projects]  # waste


def depth_of(team: Team) -> int:
    depth, above = 0, team
    while above.parent is not None:
        depth, above = depth + 1, above.parent
    return depth


def ancestors_at_once(session: Session) -> list[int]:
    upwards = selectinload(Team.parent, recursion_depth=-1)
    query = select(Team).where(Team.id > 4).options(upwards)
    return [depth_of(team) for team in session.scalars(query)]


@reported(ancestors_at_once, (N, "Team.parent"))
def up_the_tree(session: Session) -> list[int]:
    teams = session.scalars(select(Team).where(Team.id > 4)).all()
    return [depth_of(team) for team in teams]


def leads_through_projects(session: Session) -> set[str]:
    query = select(Task).options(joinedload(Task.project).joinedload(Project.lead))
    return {task.project.lead.name for task in session.scalars(query)}


@reported(leads_through_projects, (N, "Project.lead"))
def has_one_through(session: Session) -> set[str]:
    query = select(Task).options(joinedload(Task.project))
    return {task.project.lead.name for task in session.scalars(query)}  # waste


def readers_of_the_subclass(session: Session) -> list[str]:
    files = selectin_polymorphic(Attachment, [Document])
    query = select(Attachment).options(files, selectinload(Document.reader))
    return [file.reader.name for file in session.scalars(query) if isinstance(file, Document)]


@reported(readers_of_the_subclass, (N, "Document.reader"))
def relationship_of_a_subclass(session: Session) -> list[str]:
    polymorphic = select(Attachment).options(selectin_polymorphic(Attachment, [Document]))
    files = session.scalars(polymorphic).all()
    return [file.reader.name for file in files if isinstance(file, Document)]  # waste


def ranks_alone(session: Session) -> int:
    return sum(task.rank for task in session.scalars(select(Task)))


@reported(ranks_alone, (UNUSED, "Task.project"))
def joined_and_forgotten(session: Session) -> int:
    tasks = session.scalars(select(Task).options(joinedload(Task.project)))  # waste
    return sum(task.rank for task in tasks)


def tasks_alone(session: Session) -> list[str]:
    query = select(Project).options(selectinload(Project.tasks))
    return [task.title for project in session.scalars(query) for task in project.tasks]


@reported(tasks_alone, (UNUSED, "Task.comments"))
def the_deeper_level_is_never_read(session: Session) -> list[str]:
    loader = selectinload(Project.tasks).selectinload(Task.comments)
    projects = session.scalars(select(Project).options(loader))  # waste
    return [task.title for project in projects for task in project.tasks]


def serialised_with_authors(session: Session) -> list[str]:
    query = select(Comment).options(selectinload(Comment.author)).limit(30)
    return [CommentSchema.model_validate(comment).author.name for comment in session.scalars(query)]


@reported(serialised_with_authors, (N, "Comment.author"))
def a_serialiser_reads(session: Session) -> list[str]:
    comments = session.scalars(select(Comment).limit(30)).all()
    return [CommentSchema.model_validate(comment).author.name for comment in comments]  # waste


def latest_by_window(session: Session) -> list[str]:
    row = func.row_number().over(partition_by=Comment.task_id, order_by=Comment.id.desc())
    latest = select(Comment.task_id, Comment.body, row.label("row")).subquery()
    query = select(latest.c.task_id, latest.c.body).where(latest.c.row == 1)
    bodies = dict(tuple(row) for row in session.execute(query))
    return [bodies[task.id] for task in session.scalars(select(Task))]


@reported(latest_by_window, N)
def latest_comment_of_each(session: Session) -> list[str]:
    bodies = []
    for task in session.scalars(select(Task)).all():
        query = select(Comment).where(Comment.task_id == task.id).order_by(Comment.id.desc())
        bodies.append(session.scalars(query.limit(1)).one().body)  # waste
    return bodies


def words_eagerly(session: Session) -> list[str]:
    return [task.words for task in session.scalars(select(Task).options(selectinload(Task.labels)))]


@reported(words_eagerly, (N, "Task.labels"))
def a_property_reads(session: Session) -> list[str]:
    tasks = session.scalars(select(Task)).all()
    return [task.words for task in tasks]  # waste


def briefs_at_once(session: Session) -> list[str]:
    query = select(Project).options(undefer(Project.brief))
    return [project.brief for project in session.scalars(query)]


@reported(briefs_at_once, N)
def deferred_brief_of_each(session: Session) -> list[str]:
    projects = session.scalars(select(Project)).all()
    return [project.brief for project in projects]  # waste


def me_once(session: Session) -> list[bool]:
    me = session.scalars(select(Member).where(Member.name == "m3")).one()
    projects = session.scalars(select(Project)).all()
    return [project.lead_id == me.id for project in projects]


@reported(me_once, "duplicate-statement")
def current_member_again_and_again(session: Session) -> list[bool]:
    def may_edit(project: Project) -> bool:
        me = session.scalars(select(Member).where(Member.name == "m3")).one()  # waste
        return project.lead_id == me.id

    return [may_edit(project) for project in session.scalars(select(Project)).all()]


def criteria_and_further(session: Session) -> list[str]:
    tasks = selectinload(Project.tasks.and_(Task.done))
    query = select(Project).options(tasks.selectinload(Task.comments))
    return [c.body for p in session.scalars(query) for task in p.tasks for c in task.comments]


@reported(criteria_and_further, (N, "Task.comments"))
def on_from_a_loader_with_criteria(session: Session) -> list[str]:
    query = select(Project).options(selectinload(Project.tasks.and_(Task.done)))
    tasks = [task for project in session.scalars(query) for task in project.tasks]
    return [comment.body for task in tasks for comment in task.comments]  # waste
