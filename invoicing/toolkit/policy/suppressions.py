"""Comments that allow a rule to be broken: `# policy: allow lazy-raise -- why`.

One without a reason allows nothing, and one that allows what nobody does is a finding itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.policy.model import Finding, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from invoicing.toolkit.policy.facts import ModuleFacts
    from invoicing.toolkit.policy.project import Project
    from invoicing.toolkit.policy.source import Suppression

SLUG = "unused-suppression"


def judge(
    modules: list[ModuleFacts], findings: Iterable[Finding], chosen: set[str]
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings that no comment allows, and what is wrong with the comments."""
    by_path = {module.path: module.suppressions for module in modules}
    used: set[tuple[str, int, str]] = set()
    kept = []
    for finding in findings:
        allowing = [
            each
            for each in by_path.get(finding.path, ())
            if each.reason and finding.rule in each.slugs and finding.line in each.applies_to
        ]
        used.update((finding.path, each.line, finding.rule) for each in allowing)
        if not allowing:
            kept.append(finding)
    told = [] if SLUG not in chosen else list(_wrong(modules, used, chosen))
    return kept, told


def _wrong(
    modules: list[ModuleFacts], used: set[tuple[str, int, str]], chosen: set[str]
) -> Iterator[Finding]:
    for module in modules:
        for suppression in module.suppressions:
            if not suppression.reason:
                yield _finding(
                    module, suppression, "a suppression without a reason", "write -- and why"
                )
                continue
            for slug in suppression.slugs:
                # A rule that is not asked for cannot tell whether it would be broken.
                if slug in chosen and (module.path, suppression.line, slug) not in used:
                    yield _finding(
                        module, suppression, f"nothing here breaks {slug}", "remove the comment"
                    )


def _finding(module: ModuleFacts, suppression: Suppression, message: str, mend: str) -> Finding:
    return Finding(module.path, suppression.line, 1, SLUG, message, mend)


def _nothing(_project: Project) -> Iterable[Finding]:
    """Say nothing: this rule is judged after all others."""
    return ()


UNUSED_SUPPRESSION = Rule(
    SLUG,
    "a suppression gives a reason, and is needed",
    "A comment that allows what is no longer done will allow it to come back, unseen.",
    'account: Mapped[Account] = relationship(lazy="raise")  # policy: allow lazy-raise -- old',
    'account: Mapped[Account] = relationship(lazy="raise")',
    _nothing,
)
