"""`hidden-load`: loads that the session sends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoicing.toolkit.profiling.findings.evidence import is_unasked, repetition, unit
from invoicing.toolkit.profiling.findings.fix import Fix, OptionStep
from invoicing.toolkit.profiling.findings.kind import FindingKind, Threshold
from invoicing.toolkit.profiling.findings.loads import keys_of
from invoicing.toolkit.profiling.findings.options import loader_of
from invoicing.toolkit.profiling.statement import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.profiling.findings.evidence import Evidence
    from invoicing.toolkit.profiling.findings.finding import Finding


def detect(evidence: Evidence) -> Iterator[Finding]:
    """Find loads that the session made by itself: no `lazy="raise"` stops them."""
    loads = evidence.groups(
        lambda statement: statement.cause is Cause.LAZY_LOAD and is_unasked(statement),
        lambda statement: (unit(statement), statement.relationship),
    )
    for group in loads:
        parents = len(keys_of(group))
        if parents < evidence.thresholds.hidden:
            continue
        relationship, step = group[0].relationship or "", group[0].steps[-1]
        yield repetition(
            f"a cascade loaded {relationship} for {parents} parents, by one statement for each: "
            'what session.delete(), merge() or a flush loads, lazy="raise" does not stop',
            f"relationship(..., passive_deletes=True) for {relationship}, with ON DELETE in the"
            f" database; or load the parents with"
            f" .options({Fix((OptionStep(loader_of(step), step),))})",
            relationship,
            group,
            "hidden-load",
        )


KIND = FindingKind(
    slug="hidden-load",
    title='what a cascade loads, and `lazy="raise"` does not stop',
    why=(
        "A flush, `session.delete()` and `merge()` load the collections that they cascade to, one "
        "statement for each parent. No line of the program reads them, so it looks free."
    ),
    bad="""
for cart in (await session.scalars(select(Cart).limit(5))).all():
    await session.delete(cart)
await session.flush()
""",
    good="""
await session.execute(delete(Cart).where(Cart.id <= 5))
""",
    detect=detect,
    thresholds=(
        Threshold("hidden", 2, "parents for which the session loaded something by itself"),
    ),
)
