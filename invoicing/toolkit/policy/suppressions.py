"""Comments that allow a rule to be broken: `# policy: allow lazy-raise -- why`.

A comment without a reason allows nothing, and one that is not needed is a finding itself.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding
from invoicing.toolkit.policy.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from invoicing.toolkit.policy.python.syntax import ModuleSyntax
    from invoicing.toolkit.policy.source import Suppression

SLUG = "unused-suppression"


def judge(
    modules: list[ModuleSyntax],
    findings: Iterable[PolicyFinding],
    chosen: set[str],
    known: Collection[str] = (),
) -> tuple[list[PolicyFinding], list[PolicyFinding]]:
    """Return the findings that no comment allows, and what is wrong with the comments.

    Args:
        modules: all files.
        findings: what they break.
        chosen: the rules that have run.
        known: all rules that there are; those chosen if empty.
    """
    by_path = {module.path: module.suppressions for module in modules}
    used: set[tuple[str, int, str]] = set()
    known = known or chosen
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
    return kept, [] if SLUG not in chosen else list(_wrong(modules, used, chosen, known))


def _wrong(
    modules: list[ModuleSyntax],
    used: set[tuple[str, int, str]],
    chosen: set[str],
    known: Collection[str],
) -> Iterator[PolicyFinding]:
    for module in modules:
        for suppression in module.suppressions:
            if not suppression.reason:
                yield _finding(
                    module, suppression, "a suppression without a reason", "write -- and why"
                )
                continue
            for slug in suppression.slugs:
                if slug not in known:
                    near = get_close_matches(slug, known, 1)
                    fix = f"write {near[0]}" if near else "see: invoicing policy rules"
                    yield _finding(module, suppression, f"there is no rule {slug}", fix)
                # A rule that is not asked for cannot tell whether it would be broken.
                if slug in chosen and (module.path, suppression.line, slug) not in used:
                    yield _finding(
                        module, suppression, f"nothing here breaks {slug}", "remove the comment"
                    )


def _finding(
    module: ModuleSyntax, suppression: Suppression, message: str, fix: str
) -> PolicyFinding:
    return PolicyFinding(module.path, suppression.line, 1, SLUG, message, fix)


# It is judged after all others, by `judge`.
UNUSED_SUPPRESSION: Rule[None] = Rule(
    SLUG,
    "a suppression gives a reason, and is needed",
    "A comment that allows what is no longer done will allow it to come back, unseen.",
    {
        "not needed": 'account: Mapped[Account] = relationship(lazy="raise")'
        "  # policy: allow lazy-raise -- old"
    },
    {"no comment": 'account: Mapped[Account] = relationship(lazy="raise")'},
)
