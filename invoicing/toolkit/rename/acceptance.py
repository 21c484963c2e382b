"""What may be accepted by whoever runs the rename: objections and findings, by their names.

A name is the kind alone, for all of that kind, or the kind and the subject (`function:f()`,
`statement:4711`). What would lose values cannot be accepted, and has no name.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from invoicing.errors import UsageError
from invoicing.toolkit.rename.dependents import slugs
from invoicing.toolkit.rename.model import PlanFinding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


# Of the plan of either strategy: what only a person can know to be harmless.
PLAN = frozenset({"update-trigger", "publication", "disk-space", "domain"})
VIEW = frozenset(
    {"row-type", "view-statement", "logical-slot", "partitioned", "null-default"}
    | {"table-name", "inheritance"}
)
# Of the gate, beside what depends on the column.
GATE = frozenset({"old-writes", "running", "statement", "subscription", "lossy"})
OF_PLAN = PLAN | VIEW | slugs()
_KINDS = GATE | OF_PLAN
NEVER = frozenset({"phase", "rows", "triggers", "unfinished", "view-missing", "on-the-view"})


def named(finding: PlanFinding, key: str | None = None) -> PlanFinding:
    """Return the finding with its name, if it may be accepted; `key` is for an unsteady subject."""
    if finding.slug in NEVER:
        return finding
    return replace(finding, name=f"{finding.slug}:{finding.subject if key is None else key}")


def is_accepted(finding: PlanFinding, accept: Collection[str]) -> bool:
    """Return whether the finding is accepted, by its name or with all of its kind."""
    return bool(finding.name) and (finding.slug in accept or finding.name in accept)


def split(
    findings: Iterable[PlanFinding], accept: Collection[str]
) -> tuple[list[PlanFinding], list[PlanFinding]]:
    """Return those that stand, and those that were accepted."""
    standing: list[PlanFinding] = []
    let_through: list[PlanFinding] = []
    for finding in findings:
        (let_through if is_accepted(finding, accept) else standing).append(finding)
    return standing, let_through


def accepted(finding: PlanFinding, accept: Collection[str], kinds: Collection[str]) -> PlanFinding:
    """Return a finding of the plan, no refusal any more where it is accepted."""
    if finding.slug not in kinds or finding.verdict != "refused":
        return finding
    finding = named(finding)
    if not is_accepted(finding, accept):
        return finding
    return replace(finding, verdict="noted", message=f"accepted: {finding.message}")


def advice(finding: PlanFinding) -> str:
    """Return how to accept a finding, for the end of its message."""
    return f". To accept it: --accept {shlex.quote(finding.name)}"


def objection(slug: str, subject: str, message: str, key: str | None = None) -> PlanFinding:
    """Return what stands against the contract, with its name in the message if it has one."""
    finding = named(PlanFinding(slug, subject, "refused", message), key)
    return replace(finding, message=message + advice(finding)) if finding.name else finding


def check(accept: Collection[str], findings: Iterable[PlanFinding]) -> None:
    """Refuse to accept by its name what is not there; a kind alone may be there at another time.

    Raises:
        UsageError: there is no such finding.
    """
    names = {finding.name for finding in findings if finding.name}
    _refuse({name for name in accept if name not in names and name not in _KINDS}, names)


def check_plan(accept: Collection[str], findings: Collection[PlanFinding]) -> None:
    """Refuse the same of the plan, which does not know what only the gate will find.

    Raises:
        UsageError: there is no such finding, or it is one that cannot be let through.
    """
    check_kinds(accept)
    # What its owner has to change before the contract is accepted at the gate, by the same name.
    names = {finding.name or f"{finding.slug}:{finding.subject}" for finding in findings}
    of_plan = {name for name in accept if ":" in name and name.partition(":")[0] not in GATE}
    now = {
        finding.name or f"{finding.slug}:{finding.subject}"
        for finding in findings
        if finding.name or (finding.verdict == "later" and finding.slug in _KINDS)
    }
    _refuse(of_plan - names, now)
    for finding in findings:
        name = f"{finding.slug}:{finding.subject}"
        if finding.verdict == "refused" and not finding.name and name in accept:
            message = f"cannot accept {name!r}: {finding.message}. Nothing was changed"
            raise UsageError(message)


def unused(
    accept: Collection[str], findings: Iterable[PlanFinding], among: Collection[str]
) -> list[PlanFinding]:
    """Return a note for each kind that is accepted, and of which there is no finding.

    It is no error: the same options may go to several databases, and to other phases.

    Args:
        accept: what is accepted.
        findings: what there is.
        among: the kinds that could have been found here.
    """
    found = {finding.slug for finding in findings}
    message = "nothing was accepted by it: there is no finding of this kind here"
    return [
        PlanFinding("unused-accept", f"--accept {kind}", "noted", message)
        for kind in sorted(set(accept) & set(among))
        if kind not in found
    ]


def check_kinds(accept: Collection[str]) -> None:
    """Refuse to accept what can never be found.

    Raises:
        UsageError: there is no such kind.
    """
    _refuse({name for name in accept if name.partition(":")[0] not in _KINDS}, _KINDS)


def _refuse(unknown: Iterable[str], names: Iterable[str]) -> None:
    if listed := ", ".join(map(repr, sorted(unknown))):
        expected = ", ".join(sorted(names)) or "nothing; there is nothing to accept now"
        message = (
            f"cannot accept {listed}: there is no such finding. Nothing was changed. Expected one "
            f"of: {expected}"
        )
        raise UsageError(message)
