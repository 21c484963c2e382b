"""Begin a rule of this gate: a module that works as it is, and cases for its test."""

from __future__ import annotations

import re
from keyword import iskeyword
from string import Template
from typing import TYPE_CHECKING, Literal

from invoicing.toolkit.policy.errors import NewRuleError
from invoicing.toolkit.policy.registry import all_rules

if TYPE_CHECKING:
    from pathlib import Path

SLUG = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
PACKAGE = "invoicing/toolkit/policy"
CASES = "tests/policy/rules"
CODE = Template('''\
"""`$slug`: say in one line what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.project import Project

SLUG = "$slug"
# What it looks for until you say what: calls of these, by whatever name they are imported.
NAMES = {"$name.broken"}


def check(project: Project) -> Iterator[PolicyFinding]:
    """Find what breaks it."""
    for module in project.modules:
        for call in module.calls:
            if project.resolve(module, call.callee) in NAMES:
                yield module.finding(
                    call.place, SLUG, f"{call.callee}() is called", "say what to write instead"
                )


RULE = Rule(
    SLUG,
    "say what it asks for, as a sentence without its first capital",
    "Say what goes wrong otherwise.",
    {"called": "import $name\\n\\n$name.broken()"},
    {"not called": "import $name\\n\\n$name.kept()"},
    check,
)
''')
MIGRATION = Template('''\
"""`$slug`: say in one line what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.migrations.examples import migration
from invoicing.toolkit.policy.migrations.safety import steps_on_old_tables
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.migrations.revision import Revision

SLUG = "$slug"
# What it looks for until you say what: steps on tables of this name.
TABLE = "$name"


def check(revision: Revision) -> Iterator[PolicyFinding]:
    """Find what breaks it in one revision."""
    for action in steps_on_old_tables(revision):
        if action.verb == "create" and action.table == TABLE:
            yield revision.finding(
                SLUG,
                (action.line, action.column),
                f"{action.called} is created",
                "say what to write instead",
            )


BAD = {
    "added": migration(
        'op.add_column("$name", sa.Column("a", sa.Text()))',
        'op.drop_column("$name", "a")',
    ),
}
GOOD = {
    "elsewhere": migration(
        'op.add_column("invoice", sa.Column("a", sa.Text()))', 'op.drop_column("invoice", "a")'
    ),
}

RULE = Rule(
    SLUG,
    "say what it asks for, as a sentence without its first capital",
    "Say what goes wrong otherwise.",
    BAD,
    GOOD,
    check,
)
''')
SNIPPETS = Template('''\
"""Faults that `$slug` finds, each with a clean twin that only looks like it."""

from __future__ import annotations

from tests.policy.planted import Planted

SLUG = "$slug"
# Files of two small projects, by their paths; tests/policy/project.py has what stands around them.
PLANTED = {
    "$slug: called": Planted(
        SLUG,
        {"app/services.py": "from $name import broken as call\\ncall()\\n"},
        {"app/services.py": "from other import broken as call\\ncall()\\n"},
    ),
}
''')


def write_rule(root: Path, slug: str, part: Literal["python", "migrations"]) -> list[Path]:
    """Write the module of a rule, and for one that reads code the cases of its test.

    Args:
        root: a clone of this project.
        slug: the rule's name, such as `lazy-raise`.
        part: whether it reads the project's code, or each revision of its migrations.

    Returns:
        The files, which are new.

    Raises:
        NewRuleError: this is no clone, the slug is none or is taken, or a file is there already.
    """
    name = slug.replace("-", "_")
    folder = root / PACKAGE / part / "rules"
    if not folder.is_dir():
        raise NewRuleError(slug, f"{root} is no clone of invoicing, and rules are a part of it")
    if not SLUG.fullmatch(slug) or iskeyword(name):
        raise NewRuleError(slug, "a rule is called by small letters, digits and hyphens")
    if slug in all_rules():
        raise NewRuleError(slug, f"there is such a rule: invoicing policy check --explain {slug}")
    module = CODE if part == "python" else MIGRATION
    texts = {folder / f"{name}.py": module}
    if part == "python":
        texts[root / CASES / f"{name}.py"] = SNIPPETS
    for path in texts:
        if path.exists():
            raise NewRuleError(slug, f"{path.relative_to(root)} is there already")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.substitute(slug=slug, name=name), encoding="utf-8")
    return list(texts)
