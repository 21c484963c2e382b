"""Check files: read each by itself, on as many processors as are worth it, then all together."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.policy.errors import PolicyPathError, UnknownRuleError
from invoicing.toolkit.policy.finding import Problem
from invoicing.toolkit.policy.live import live_findings
from invoicing.toolkit.policy.python.collect import collect
from invoicing.toolkit.policy.python.project import Project
from invoicing.toolkit.policy.registry import all_rules, code_rules
from invoicing.toolkit.policy.revisions import check_locks, check_migration
from invoicing.toolkit.policy.settings import PolicySettings, read_settings
from invoicing.toolkit.policy.source import find_files, read_sources, relative_path
from invoicing.toolkit.policy.suppressions import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from invoicing.toolkit.policy.finding import PolicyFinding
    from invoicing.toolkit.policy.python.syntax import ModuleSyntax

# Fewer bytes than this are checked before another process has started.
WORTH_A_PROCESS = 1_500_000


class Checked(NamedTuple):
    """What reading one file has brought."""

    modules: list[ModuleSyntax]
    problem: Problem | None


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
        problems: files that could not be checked.
        files: how many were.
        lines: how many lines they have.
        seconds: how long it took.
        not_run: rules that did not run, with the option that each needs.
        has_run: whether any rule has.
    """

    findings: list[PolicyFinding]
    problems: list[Problem]
    files: int
    lines: int
    seconds: float
    not_run: tuple[NotRun, ...] = ()
    has_run: bool = True


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
    texts: Mapping[str, bytes] | None = None,
) -> Report:
    """Check files and folders, without importing or running any of them.

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
        texts: what to read in place of files, by their paths as they are shown.

    Raises:
        PolicyPathError: a path is not there.
        UnknownRuleError: a rule is not there.
        PolicySettingsError: the settings cannot be used.
        ModelsImportError: the package cannot be imported.
    """
    began = time.perf_counter()
    for path in paths:
        if not path.exists():
            raise PolicyPathError(str(path))
    root = root or root_of(paths[0] if paths else Path())
    settings = settings or read_settings(root)
    chosen = _chosen(select, (*ignore, *settings.ignore))
    files = list(find_files(root, paths, settings))
    checked = _read_all(files, partial(_read, root, settings, texts or {}), processes)
    modules = list(chain.from_iterable(read.modules for read in checked))
    project = Project(modules, settings)
    findings = _find(project, chosen)
    if models is not None:
        findings += live_findings(models, root, settings, findings)
    if sql is not None:
        findings += check_locks(sql, root, settings)
    not_run = _not_run(chosen, {"--models": models, "--sql": sql})
    kept, unused = judge(
        modules, [finding for finding in findings if finding.rule in chosen], chosen
    )
    reported = [finding for finding in (*kept, *unused) if strict or not finding.strict]
    return Report(
        sorted(
            reported, key=lambda finding: (finding.path, finding.line, finding.column, finding.rule)
        ),
        [read.problem for read in checked if read.problem is not None],
        len(files),
        sum(module.lines for module in modules),
        time.perf_counter() - began,
        _worth_saying(not_run, select, project),
        has_run=len(not_run) < len(chosen),
    )


def root_of(path: Path) -> Path:
    """Return the nearest folder above with a pyproject.toml; else the path's own."""
    start = path.resolve() if path.is_dir() else path.resolve().parent
    return next(
        (parent for parent in (start, *start.parents) if (parent / "pyproject.toml").is_file()),
        start,
    )


def _chosen(select: Sequence[str], ignore: Sequence[str]) -> set[str]:
    rules = all_rules()
    for slug in (*select, *ignore):
        if slug not in rules:
            raise UnknownRuleError(slug, tuple(rules))
    return (set(select) or set(rules)) - set(ignore)


def _not_run(chosen: set[str], given: Mapping[str, object]) -> list[NotRun]:
    rules = [rule for slug, rule in all_rules().items() if slug in chosen]
    return [
        NotRun(rule.slug, rule.needs) for rule in rules if rule.needs and not given.get(rule.needs)
    ]


def _worth_saying(
    not_run: list[NotRun], select: Sequence[str], project: Project
) -> tuple[NotRun, ...]:
    """Return those that were asked for, or would have had something to read."""
    has_migrations = any(map(project.is_migration, project.modules))
    return tuple(each for each in not_run if has_migrations or each.rule in select)


def _read_all(
    files: list[Path], read: Callable[[Path], Checked], processes: int | None
) -> list[Checked]:
    size = sum(path.stat().st_size for path in files)
    wanted = processes or (os.cpu_count() or 1 if size > WORTH_A_PROCESS else 1)
    if min(wanted, len(files)) <= 1:
        return [read(path) for path in files]
    with ProcessPoolExecutor(wanted) as pool:
        return list(pool.map(read, files, chunksize=max(len(files) // (8 * wanted), 1)))


def _read(root: Path, settings: PolicySettings, texts: Mapping[str, bytes], path: Path) -> Checked:
    try:
        return _read_file(path, root, settings, texts.get(relative_path(path, root)))
    except Exception as error:  # noqa: BLE001 -- the other files are still to be checked
        what = f"the gate itself failed on it: {type(error).__name__}: {error}"
        return Checked([], Problem(path.as_posix(), 1, what))


def _read_file(path: Path, root: Path, settings: PolicySettings, text: bytes | None) -> Checked:
    sources = read_sources(path, root, text)
    if isinstance(sources, Problem):
        return Checked([], sources)
    modules = []
    for source in sources:
        syntax = collect(source)
        if settings.matches(source.path, settings.migrations):
            syntax.findings = check_migration(source, settings)
        modules.append(syntax)
    return Checked(modules, None)


def _find(project: Project, chosen: set[str]) -> list[PolicyFinding]:
    findings = [
        finding
        for rule in code_rules()
        if rule.slug in chosen and rule.check is not None
        for finding in rule.check(project)
    ]
    return findings + [finding for module in project.modules for finding in module.findings]


def assert_clean(*paths: Path | str, strict: bool = False) -> None:
    """Check files in a test.

    Raises:
        AssertionError: there are findings, or files that could not be checked; it lists them.
    """
    report = check([Path(path) for path in paths], strict=strict)
    lines = [*map(str, report.findings), *map(str, report.problems)]
    if lines:
        raise AssertionError("\n".join([f"{len(lines)} findings:", *lines]))
