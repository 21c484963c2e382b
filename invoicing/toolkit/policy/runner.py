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
from invoicing.toolkit.policy.files import context, find_files, relative_path, size_of, unmatched
from invoicing.toolkit.policy.finding import Problem
from invoicing.toolkit.policy.live import live_findings
from invoicing.toolkit.policy.python.collect import collect
from invoicing.toolkit.policy.python.project import Project
from invoicing.toolkit.policy.registry import all_rules, code_rules
from invoicing.toolkit.policy.revisions import check_histories, check_locks, check_migration
from invoicing.toolkit.policy.settings import PolicySettings, read_settings
from invoicing.toolkit.policy.source import read_sources
from invoicing.toolkit.policy.suppressions import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from invoicing.toolkit.policy.finding import PolicyFinding, Proof
    from invoicing.toolkit.policy.python.syntax import ModuleSyntax

# Fewer bytes than this are checked before another process has started.
WORTH_A_PROCESS = 1_500_000


class Checked(NamedTuple):
    """What reading one file has brought."""

    modules: list[ModuleSyntax]
    problems: list[Problem]


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
    """

    findings: list[PolicyFinding]
    problems: list[Problem]
    files: int
    lines: int
    seconds: float
    notes: tuple[str, ...] = ()
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
    proof: Proof | None = None,
    texts: Mapping[str, bytes] | None = None,
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

    Raises:
        PolicyPathError: a path is not there.
        UnknownRuleError: a rule is not there.
        PolicySettingsError: the settings cannot be used.
        ModelsImportError: the package cannot be imported.
    """
    began = time.perf_counter()
    for path in paths:
        # What is given as a text need not be saved yet.
        if not texts and not os.path.lexists(path):
            raise PolicyPathError(str(path))
    root = root or root_of(paths[0] if paths else Path())
    settings = settings or read_settings(root)
    chosen = _chosen(select, (*ignore, *settings.ignore))
    found = find_files(root, paths, settings)
    beside = context(root, found, settings)
    read = partial(_read, root, settings, texts or {})
    # What was there before comes first: of two heads the one asked for is the second.
    checked = _read_all([*beside, *found.files], read, processes)
    asked = checked[len(beside) :]
    modules = list(chain.from_iterable(each.modules for each in checked))
    paths_asked = {module.path for each in asked for module in each.modules}
    project = Project(modules, settings, root)
    findings = _find(project, chosen)
    findings = proof.instead_of(findings) if proof is not None else findings
    elsewhere = _by_running(root, settings, findings, models=models, sql=sql)
    not_run = _not_run(chosen, {"--models": models, "--sql": sql})
    wanted = [each for each in (*findings, *elsewhere) if each.rule in chosen]
    kept, unused = judge(modules, wanted, chosen, all_rules())
    reported = [
        finding
        for finding in (*kept, *unused)
        if (strict or not finding.strict) and (finding.path in paths_asked or finding in elsewhere)
    ]
    return Report(
        sorted(
            reported, key=lambda finding: (finding.path, finding.line, finding.column, finding.rule)
        ),
        [
            *found.problems,
            *chain.from_iterable(each.problems for each in asked),
            *(proof.problems if proof is not None else ()),
        ],
        len(found.files) + len(found.problems),
        sum(module.lines for each in asked for module in each.modules),
        time.perf_counter() - began,
        tuple(unmatched(root, paths, settings, found)),
        _worth_saying(not_run, select, project, paths_asked),
        has_run=len(not_run) < len(chosen),
    )


def _by_running(
    root: Path,
    settings: PolicySettings,
    findings: list[PolicyFinding],
    *,
    models: str | None,
    sql: Path | None,
) -> list[PolicyFinding]:
    """Return what the project's own code says when it is imported, or writes its SQL."""
    found = live_findings(models, root, settings, findings) if models is not None else []
    return [*found, *(check_locks(sql, root, settings) if sql is not None else ())]


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
    not_run: list[NotRun], select: Sequence[str], project: Project, asked: set[str]
) -> tuple[NotRun, ...]:
    """Return those that were asked for, or would have had something to read."""
    modules = [module for module in project.modules if module.path in asked]
    has_migrations = any(map(project.is_migration, modules))
    return tuple(each for each in not_run if has_migrations or each.rule in select)


def _read_all(
    files: list[Path], read: Callable[[Path], Checked], processes: int | None
) -> list[Checked]:
    size = sum(map(size_of, files))
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
        return Checked([], [Problem(relative_path(path, root), 1, what)])


def _read_file(path: Path, root: Path, settings: PolicySettings, text: bytes | None) -> Checked:
    sources, problems = read_sources(path, root, text)
    modules = []
    for source in sources:
        syntax = collect(source)
        # Wherever it stands: what says which revision it comes after is one.
        if "down_revision" in source.text or settings.matches(source.path, settings.migrations):
            syntax.findings, syntax.revision = check_migration(source, settings)
        modules.append(syntax)
    return Checked(modules, problems)


def _find(project: Project, chosen: set[str]) -> list[PolicyFinding]:
    findings = [
        finding
        for rule in code_rules()
        if rule.slug in chosen and rule.check is not None
        for finding in rule.check(project)
    ]
    findings += [finding for module in project.modules for finding in module.findings]
    revisions = [module.revision for module in project.modules if module.revision is not None]
    return [*findings, *check_histories(revisions, project.root)]


def assert_clean(*paths: Path | str, strict: bool = False) -> None:
    """Check files in a test.

    Raises:
        AssertionError: there are findings, or files that could not be checked; it lists them.
    """
    report = check([Path(path) for path in paths], strict=strict)
    lines = [*map(str, report.findings), *map(str, report.problems)]
    if lines:
        raise AssertionError("\n".join([f"{len(lines)} findings:", *lines]))
