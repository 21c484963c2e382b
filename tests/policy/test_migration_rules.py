"""Every rule finds its bad examples and none of its good ones, and nothing in this project."""

from __future__ import annotations

import ast
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from invoicing.toolkit.policy.migrations import (
    MigrationSettings,
    Revision,
    check_history,
    check_revision,
)
from invoicing.toolkit.policy.migrations.examples import HEADER, migration
from invoicing.toolkit.policy.registry import all_rules, migration_rules

if TYPE_CHECKING:
    from invoicing.toolkit.policy import Rule

ROOT = Path(__file__).parents[2]
CASES = [
    pytest.param(rule, source, expected, id=f"{rule.slug}-{label}")
    for rule in migration_rules()
    if rule.check is not None
    for examples, expected in ((rule.bad, True), (rule.good, False))
    for label, source in examples.items()
]


def revision(source: str, path: str = "a.py", **settings: object) -> Revision:
    return Revision(path, source, ast.parse(source), replace(MigrationSettings(), **settings))


def breaks(rule: Rule[Revision], source: str) -> bool:
    known = revision(source)
    in_history = (finding for finding in check_history([known]) if finding.rule == rule.slug)
    findings = [*rule.check(known), *in_history]
    assert {finding.rule for finding in findings} <= {rule.slug}
    return bool(findings)


@pytest.mark.parametrize(("rule", "source", "expected"), CASES)
def test_an_example_breaks_or_keeps_its_rule(
    rule: Rule[Revision], source: str, expected: bool
) -> None:
    assert breaks(rule, source) is expected


def test_a_finding_is_written_as_editors_read_it() -> None:
    source = migration('op.drop_table("note")', "raise RuntimeError")
    first, second = check_revision("versions/a.py", source, ast.parse(source))
    assert str(first) == (
        "versions/a.py:16:5: [destructive-flagged] table note is dropped; "
        "say DESTRUCTIVE in the docstring, and what is lost"
    )
    assert (second.rule, second.line) == ("reversible-migration", 19)


def test_this_project_keeps_its_own_rules() -> None:
    settings = MigrationSettings(
        topics=("Locks", "Deploy sequence", "Old code keeps working because", "If interrupted"),
        phases=("expand", "contract"),
        destructive_operations=frozenset({"contract_rename"}),
    )
    paths = sorted((ROOT / "migrations" / "versions").glob("*.py"))
    revisions = [Revision(str(p), p.read_text(), ast.parse(p.read_text()), settings) for p in paths]
    assert len(revisions) >= 4
    findings = [
        finding
        for revision in revisions
        for finding in check_revision(revision.path, revision.source, revision.tree, settings)
    ]
    assert [*map(str, findings), *map(str, check_history(revisions))] == []


def test_an_operation_of_ones_own_loses_data_where_the_project_says_so() -> None:
    source = migration('op.contract_rename("invoice", "amt")', "op.readd()")
    assert check_revision("a.py", source, ast.parse(source)) == []
    settings = MigrationSettings(destructive_operations=frozenset({"contract_rename"}))
    (finding,) = check_revision("a.py", source, ast.parse(source), settings)
    assert finding.message == "op.contract_rename loses data"


ASKED = {"phases": ("expand", "contract"), "topics": ("Locks", "Deploy sequence")}
TOPICS = "Phase: expand\nLocks: none\nDeploy sequence:\n    1. Run it.\n"


@pytest.mark.parametrize(
    ("topics", "messages"),
    [
        (TOPICS, []),
        (TOPICS.replace("expand", "expand or contract"), ["Phase is expand or contract"]),
        (TOPICS.replace("Phase: expand\n", ""), ["Phase is missing"]),
        (TOPICS.replace("Locks: none\n", ""), ["the docstring has no Locks"]),
        (TOPICS.replace("none", "..."), ["Locks says nothing"]),
        (TOPICS.replace("1. Run", "Run"), ["Deploy sequence has no steps"]),
        (TOPICS.replace("Run it.", "..."), ["Deploy sequence has no steps"]),
    ],
)
def test_the_header_says_what_the_project_asks_for(topics: str, messages: list[str]) -> None:
    source = migration("pass", "pass", f"{HEADER}\n{topics}")
    findings = check_revision("a.py", source, ast.parse(source), MigrationSettings(**ASKED))
    assert [finding.message for finding in findings] == messages


def test_a_type_is_a_matter_of_postgresql() -> None:
    source = all_rules()["reversible-migration"].bad["an enumeration's type stays"]
    assert check_revision("a.py", source, ast.parse(source)) != []
    settings = MigrationSettings(dialect="sqlite")
    assert check_revision("a.py", source, ast.parse(source), settings) == []


def test_what_cannot_be_seen_is_said_only_when_asked() -> None:
    source = migration('op.create_table("note")', "op.execute(read())")
    assert check_revision("a.py", source, ast.parse(source)) == []
    (finding,) = check_revision("a.py", source, ast.parse(source), MigrationSettings(strict=True))
    assert finding.message == "what SQL that is not known before it runs does cannot be seen"


def chain(*upgrades: str) -> list[Revision]:
    """Write revisions r0, r1... each the parent of the next."""
    sources = [migration(upgrade, "pass") for upgrade in upgrades]
    return [
        revision(
            source.replace('"2a"', f'"r{n}"').replace('"1a"', f'"r{n - 1}"' if n else "None"),
            f"r{n}.py",
        )
        for n, source in enumerate(sources)
    ]


MAKE = (
    'op.create_table("invoice", sa.Column("a", sa.BigInteger()), sa.Column("b", sa.Text()), '
    'sa.Column("kind", sa.Enum("a", "b", name="kind")))'
)


@pytest.mark.parametrize(
    ("steps", "paths"),
    [
        (['op.alter_column("invoice", "a", type_=sa.Integer())'], ["r1.py"]),
        (['op.execute("ALTER TABLE invoice ALTER COLUMN a TYPE int")'], ["r1.py"]),
        (['op.execute("ALTER TABLE invoice ALTER b SET DATA TYPE varchar(5)")'], ["r1.py"]),
        (['op.execute("ALTER TABLE invoice ALTER COLUMN a TYPE numeric(30, 2)")'], []),
        (['op.rename_table("invoice", "bill")', 'op.alter_column("bill", "a", type_=sa.Integer())'],
         ["r2.py"]),
        (['op.alter_column("invoice", "a", new_column_name="c")',
          'op.alter_column("invoice", "c", type_=sa.SmallInteger())'], ["r2.py"]),
        (['op.alter_column("other", "a", type_=sa.Integer())'], []),
        # What was reflected from a database of another kind, where an enumeration is a text.
        ([('op.alter_column("invoice", "kind", existing_type=sa.VARCHAR(6), '
          'type_=sa.Enum("a", "b", "c", name="kind"))')], []),
        ([('op.alter_column("invoice", "kind", existing_type=sa.VARCHAR(6), '
          'type_=sa.Enum("a", name="kind"))')], ["r1.py"]),
    ],
)  # fmt: skip
def test_earlier_revisions_say_what_type_a_column_had(steps: list[str], paths: list[str]) -> None:
    findings = check_history(reversed(chain(MAKE, *steps)))
    assert [(finding.path, finding.rule) for finding in findings] == [
        (path, "destructive-flagged") for path in paths
    ]


def test_the_chain_has_no_holes_and_no_twins() -> None:
    first, second, third = chain("pass", "pass", "pass")
    assert check_history([first, second, third]) == []
    (finding,) = check_history([first, third])
    assert finding.message == "down_revision r1 is no revision here"
    (finding,) = check_history([first, second, replace(second, path="twin.py")])
    assert (finding.path, finding.message) == ("twin.py", "revision r1 is also r1.py")


HOSTILE = {
    "a width of a gigabyte": 'op.execute("{:>999999999}".format("a") + "%999999999s" % "a")',
    "a text that doubles": "x = 'a'\nfor i in range(9):\n    pass\n" + "x = f'{x}{x}'\n" * 64,
    "a list that doubles": "x = ['a']\n" + "x = [*x, *x]\n" * 64 + "op.execute(''.join(x))",
    "loops within loops": "".join(f"{'    ' * n}for x{n} in {[1, 2, 3] * 5}:\n" for n in range(5))
    + " " * 20
    + "op.execute(x0 + x4)",
    "half a million quotes": "op.execute(" + repr("'" * 500_001) + ")",
    "comments in comments": f"op.execute({'/*' * 200_000!r})",
    "parentheses": f"op.execute({'CREATE TABLE x ' + '(' * 20_000!r})",
    "names of nothing but holes": "\n".join(
        f'op.execute(f"DROP TABLE a{{x()}}_{{y()}}_{n}")' for n in range(500)
    ),
}


@pytest.mark.broad
@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_file_is_read_in_time_and_in_little_memory(label: str) -> None:
    source = migration(HOSTILE[label], HOSTILE[label])
    tree = ast.parse(source)
    tracemalloc.start()
    try:
        check_revision("a.py", source, tree)
        assert tracemalloc.get_traced_memory()[1] < 300_000_000
    finally:
        tracemalloc.stop()
