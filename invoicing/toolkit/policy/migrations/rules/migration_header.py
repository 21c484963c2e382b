"""`migration-header`: the docstring says what the variables say, and what the project asks for."""

from __future__ import annotations

import ast
import re
from datetime import datetime
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "migration-header"
TOPIC = re.compile(r"^[ \t]*([A-Z][A-Za-z ]{1,60}?):[ \t]*(.*)$", re.MULTILINE)
STEP = re.compile(r"^\s*1[.)]\s+(?!\.\.\.\s*$)\S", re.MULTILINE)
EMPTY = {"", "...", "…", "todo", "tbd"}


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Hold the docstring against the file."""
    if not revision.is_migration:
        return
    if not revision.header.strip():
        yield no_docstring(revision)
        return
    topics = read(revision.header)
    for line, message, fix in [
        *title(revision),
        *identity(revision, topics),
        *asked(revision, topics),
    ]:
        yield revision.finding(SLUG, (first_line(revision) + line, 1), message, fix)


def no_docstring(revision: Revision) -> PolicyFinding:
    """Say that there is none, or that it stands where Python takes it for no docstring."""
    for node in revision.tree.body:
        if "Revision ID" in text_of(node):
            place = node.lineno, node.col_offset + 1
            message = "the docstring is below other code, so it is none"
            return revision.finding(SLUG, place, message, "move it to the top of the file")
    return revision.finding(SLUG, (1, 1), "there is no docstring", "say what the migration does")


def text_of(node: ast.stmt) -> str:
    """Give the text of a statement that is nothing else."""
    value = node.value if isinstance(node, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def first_line(revision: Revision) -> int:
    """Give the line the docstring begins on."""
    return revision.tree.body[0].lineno


def read(header: str) -> dict[str, tuple[int, str]]:
    """Give each topic's line, counted from 0, and what it says up to the next topic."""
    found = list(TOPIC.finditer(header))
    ends = [match.start() for match in found[1:]] + [len(header)] if found else []
    return {
        match[1]: (header.count("\n", 0, match.start(1)), header[match.start(2) : end].strip())
        for match, end in reversed(list(zip(found, ends, strict=True)))
    }


Fault = tuple[int, str, str]


def title(revision: Revision) -> Iterator[Fault]:
    """Ask for a line that says what the migration does."""
    lines = revision.header.strip().splitlines()
    asked_for = revision.settings.header
    if asked_for and any(lines[0].startswith(f"{topic}:") for topic in asked_for):
        yield 0, "the docstring does not say what the migration does", "begin it with one line"


def identity(revision: Revision, topics: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    """Compare the ids and read the date."""
    parents = revision.parents
    expected = {
        "Revision ID": {revision.identifier} if revision.identifier else None,
        "Revises": set(parents) if parents is not None else None,
        "Create Date": None,
    }
    for topic in revision.settings.header:
        if topic not in topics:
            yield 0, f"the docstring has no {topic}", f"add {topic}: to it"
            continue
        line, text = topics[topic]
        text = text.partition("\n")[0]
        wanted = expected.get(topic)
        said = {part for part in re.split(r"[\s,()'\"]+", text) if part not in {"", "None"}}
        if wanted is not None and said != wanted:
            variable = "revision" if topic == "Revision ID" else "down_revision"
            shown = ", ".join(sorted(wanted)) or "None"
            yield (
                line,
                f"{topic} is {text or 'empty'}, and {variable} is {shown}",
                "make them agree",
            )
        elif topic == "Create Date" and not is_date(text):
            yield (
                line,
                f"Create Date is no date: {text or 'empty'}",
                "write it as 2026-11-23 12:00:00",
            )


def is_date(text: str) -> bool:
    """Tell whether this is a date, with or without its time."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def asked(revision: Revision, topics: dict[str, tuple[int, str]]) -> Iterator[Fault]:
    """Ask for the topics and the phase that the project wants."""
    settings = revision.settings
    if settings.phases:
        line, text = topics.get("Phase", (0, ""))
        phase = text.partition("\n")[0].strip()
        if phase not in settings.phases:
            wanted = " or ".join(settings.phases)
            yield line, f"Phase is {phase or 'missing'}", f"say Phase: {wanted}"
    for topic in settings.topics:
        if topic not in topics:
            yield 0, f"the docstring has no {topic}", f"add {topic}: to it"
            continue
        line, text = topics[topic]
        if text.lower() in EMPTY:
            yield line, f"{topic} says nothing", "say it"
        elif topic == "Deploy sequence" and not STEP.search(text):
            yield line, "Deploy sequence has no steps", "number them from 1."


BAD = {
    "no docstring": migration("pass", "pass").partition("\n\n")[2].partition('"""\n')[2],
    "below the imports": "import sqlalchemy as sa\n" + migration("pass", "pass"),
    "another revision": migration("pass", "pass", HEADER.replace("2a", "2b")),
    "another parent": migration("pass", "pass", HEADER.replace("1a", "1b")),
    "no parent": migration("pass", "pass", HEADER.replace("Revises: 1a", "Revises:")),
    "no Revises": migration("pass", "pass", HEADER.replace("Revises: 1a\n", "")),
    "a date that is none": migration("pass", "pass", HEADER.replace("2026-11", "2026-13")),
    "nothing said": migration("pass", "pass", "\n" + HEADER.partition("\n\n")[2]),
}

GOOD = {
    "as Alembic writes it": migration("pass", "pass"),
    "the first revision": migration(
        "pass", "pass", HEADER.replace("Revises: 1a", "Revises:")
    ).replace('down_revision = "1a"', "down_revision = None"),
    "a merge": migration("pass", "pass", HEADER.replace("Revises: 1a", "Revises: 1a, 1b")).replace(
        'down_revision = "1a"', 'down_revision = ("1a", "1b")'
    ),
}

RULE = Rule(
    SLUG,
    "the docstring says what the variables say, and what the project asks for",
    "The header is what is read at night: in `alembic history`, and before a migration is run. One "
    "that was copied and names another revision leads to the wrong downgrade.",
    BAD,
    GOOD,
    check,
)
