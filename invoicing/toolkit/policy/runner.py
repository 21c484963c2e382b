"""Check files: read each by itself, then judge all together."""

from __future__ import annotations

import gc
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.answers import CheckQuestion, recalled, remember
from invoicing.toolkit.policy.cache import open_cache
from invoicing.toolkit.policy.errors import PolicyPathError, UnknownRuleError
from invoicing.toolkit.policy.files import context, find_files, forget_folders, unmatched
from invoicing.toolkit.policy.reading import Files
from invoicing.toolkit.policy.registry import RuleFacts, rule_facts
from invoicing.toolkit.policy.settings import PolicySettings, read_settings
from invoicing.visible import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from invoicing.toolkit.policy.finding import PolicyFinding, Problem, Proof


class NotRun(NamedTuple):
    """A rule that did not run."""

    rule: str
    needs: str

    def __str__(self) -> str:
        return f"{self.rule} did not run: it needs {self.needs}"


@dataclass(frozen=True)
class Report:
    """What a check has found.

    Attributes:
        findings: in the order of files and lines.
        problems: files and folders that could not be checked.
        files: how many there are, with those.
        lines: how many lines they have.
        seconds: how long it took.
        notes: settings that name nothing.
        not_run: rules that did not run, with the option that each needs.
        has_run: whether any rule has.
        facts: what is known of the rules.
    """

    findings: list[PolicyFinding]
    problems: list[Problem]
    files: int
    lines: int
    seconds: float
    notes: tuple[str, ...] = ()
    not_run: tuple[NotRun, ...] = ()
    has_run: bool = True
    facts: dict[str, RuleFacts] = field(default_factory=dict)


def check(  # noqa: PLR0913 -- each by its name, and none needed
    paths: Sequence[Path],
    *,
    root: Path | None = None,
    settings: PolicySettings | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    strict: bool = False,
    processes: int | None = None,
    models: str | None = None,
    sql: Path | None = None,
    proof: Proof | None = None,
    texts: Mapping[str, bytes] | None = None,
    cache: Path | None = None,
) -> Report:
    """Check files and folders, without importing or running any of them.

    What stands beside them in the project is read as well: a model may be in one file and what
    loads it in another. Findings are those of the files asked for.

    Args:
        paths: what to check.
        root: the project's folder, to which paths are relative; the nearest with a pyproject.toml.
        settings: where things are; of the root's pyproject.toml if None.
        select: only these rules.
        ignore: all rules but these.
        strict: also report what is uncertain.
        processes: how many at once; as many as there are processors, if it is worth it.
        models: a package whose mappers to look at as well; this imports it.
        sql: alembic.ini, to have squawk judge the SQL of each revision; this runs the migrations'
            code, but no SQL.
        proof: what running the revisions has shown, to be said in place of what reading them does.
        texts: what to read in place of files, by their paths as they are shown.
        cache: a folder for what was read and found, to be faster the next time; the answer is the
            same with and without.

    Raises:
        PolicyPathError: a path is not there.
        UnknownRuleError: a rule is not there.
        PolicySettingsError: the settings cannot be used.
        ModelsImportError: the package cannot be imported.
    """
    began = time.perf_counter()
    forget_folders()
    for path in paths:
        # What is given as a text need not be saved yet.
        if not texts and not os.path.lexists(path):
            raise PolicyPathError(str(path))
    root = root or root_of(paths[0] if paths else Path())
    settings = settings or read_settings(root)
    opened = open_cache(cache) if cache is not None else None
    facts = rule_facts(opened)
    chosen = _chosen(facts, select, (*ignore, *settings.ignore))
    found = find_files(root, paths, settings)
    beside = context(root, found, settings, paths)
    not_run = _not_run(facts, chosen, {"--models": models, "--sql": sql})
    idle = frozenset(each.rule for each in not_run)
    question = CheckQuestion(root, settings, chosen, len(found.files), frozenset(facts), idle)
    # What was there before comes first: of two heads the one asked for is the second.
    files = Files([*beside, *found.files], root, settings, texts or {}, opened)
    with _without_collecting():
        identities = files.identities(processes)
        is_plain = opened is not None and models is None and sql is None and proof is None
        answer = recalled(opened, question, identities) if opened and is_plain else None
        if answer is None:
            from invoicing.toolkit.policy import judging

            elsewhere = partial(judging.by_running, root, settings, models=models, sql=sql)
            answer = judging.answer(files.read(processes), question, proof, elsewhere)
            if opened is not None and is_plain and not texts:
                remember(opened, question, identities, answer)
    reported = [finding for finding in answer.findings if strict or not finding.strict]
    return Report(
        sorted(
            reported, key=lambda finding: (finding.path, finding.line, finding.column, finding.rule)
        ),
        [*found.problems, *answer.problems, *(proof.problems if proof is not None else ())],
        len(found.files) + len(found.problems),
        answer.lines,
        time.perf_counter() - began,
        tuple(unmatched(root, paths, settings, found)),
        tuple(each for each in not_run if answer.has_migrations or each.rule in select),
        has_run=len(not_run) < len(chosen),
        facts=facts,
    )


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Let Python look for no cycles meanwhile: none are made, and there is much to look through."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def root_of(path: Path) -> Path:
    """Return the nearest folder above with a pyproject.toml.

    Without one it is where the command runs, if the path is below that, so that a folder is the
    same project by whatever name it is checked; else it is the path's own folder.
    """
    # A link to nothing belongs where it is.
    real = Path(os.path.realpath(path)) if path.exists() else _beside(path)
    start = real if path.is_dir() else real.parent
    above = (start, *start.parents)
    marked = (folder for folder in above if (folder / "pyproject.toml").is_file())
    here = Path.cwd()
    return next(marked, here if here in above else start)


def _beside(path: Path) -> Path:
    return Path(os.path.realpath(path.parent)) / path.name


def _chosen(rules: dict[str, RuleFacts], select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    for slug in (*select, *ignore):
        if slug not in rules:
            raise UnknownRuleError(slug, tuple(rules))
    return (set(select) or set(rules)) - set(ignore)


def _not_run(
    rules: dict[str, RuleFacts], chosen: set[str], given: Mapping[str, object]
) -> list[NotRun]:
    return [
        NotRun(slug, rule.needs)
        for slug, rule in rules.items()
        if slug in chosen and rule.needs and not given.get(rule.needs)
    ]


def assert_clean(*paths: Path | str, strict: bool = False) -> None:
    """Check files in a test.

    Raises:
        AssertionError: there are findings, or files that could not be checked; it lists them.
    """
    report = check([Path(path) for path in paths], strict=strict)
    lines = [*map(str, report.findings), *map(str, report.problems)]
    if lines:
        raise AssertionError("\n".join([f"{plural(len(lines), 'finding')}:", *lines]))
