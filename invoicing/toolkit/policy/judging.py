"""Judge what was read, all together: by every rule that was chosen."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.answers import CheckAnswer, homes_of
from invoicing.toolkit.policy.python.given import find_given_sessions
from invoicing.toolkit.policy.python.project import Project
from invoicing.toolkit.policy.registry import code_rules
from invoicing.toolkit.policy.suppressions import judge

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from invoicing.toolkit.policy.answers import CheckQuestion
    from invoicing.toolkit.policy.finding import PolicyFinding, Proof
    from invoicing.toolkit.policy.reading import Checked
    from invoicing.toolkit.policy.settings import PolicySettings

    Elsewhere = Callable[[list[PolicyFinding]], list[PolicyFinding]]


def answer(
    checked: list[Checked], question: CheckQuestion, proof: Proof | None, elsewhere: Elsewhere
) -> CheckAnswer:
    """Judge what was read, all together."""
    asked = checked[len(checked) - question.asked :]
    modules = list(chain.from_iterable(each.modules for each in checked))
    paths = {module.path for each in asked for module in each.modules}
    project = Project(modules, question.settings, question.root)
    find_given_sessions(project)
    findings = _find(project, question.chosen)
    findings = proof.instead_of(findings) if proof is not None else findings
    more = elsewhere(findings)
    wanted = [each for each in (*findings, *more) if each.rule in question.chosen]
    kept, unused = judge(modules, wanted, question.chosen - question.idle, question.known)
    here = [module for module in modules if module.path in paths]
    return CheckAnswer(
        [each for each in (*kept, *unused) if each.path in paths or each in more],
        list(chain.from_iterable(each.problems for each in asked)),
        sum(module.lines for each in asked for module in each.modules),
        any(map(project.is_migration, here)),
        homes_of(project),
    )


def by_running(
    root: Path,
    settings: PolicySettings,
    findings: list[PolicyFinding],
    *,
    models: str | None,
    sql: Path | None,
) -> list[PolicyFinding]:
    """Return what the project's own code says when it is imported, or writes its SQL."""
    found: list[PolicyFinding] = []
    if models is not None:
        from invoicing.toolkit.policy.live import live_findings

        found += live_findings(models, root, settings, findings)
    if sql is not None:
        from invoicing.toolkit.policy.revisions import check_locks

        found += check_locks(sql, root, settings)
    return found


def _find(project: Project, chosen: Collection[str]) -> list[PolicyFinding]:
    findings = [
        finding
        for rule in code_rules()
        if rule.slug in chosen and rule.check is not None
        for finding in rule.check(project)
    ]
    findings += [finding for module in project.modules for finding in module.findings]
    revisions = [module.revision for module in project.modules if module.revision is not None]
    if revisions:
        from invoicing.toolkit.policy.revisions import check_histories

        findings += check_histories(revisions, project.root)
    return findings
