"""The table of refusals, and what else became of the examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.rename.differential.arena import Arena


def report(arena: Arena) -> str:
    """Return it as text."""
    tally = arena.tally
    lines = [f"\nPostgreSQL {arena.version}: {sum(tally.cases.values())} schemas"]
    for strategy, cases in sorted(tally.cases.items()):
        stopped, refused = tally.stopped[strategy], tally.refused[strategy]
        lines.append(
            f"  {strategy}: {stopped} of {cases} refused ({stopped / cases:.1%}),"
            f" {refused} whatever is accepted ({refused / cases:.1%})"
        )
        for title, counter in (
            ("refused", tally.refusals),
            ("accepted, then done", tally.accepted),
            ("left to the owner", tally.later),
        ):
            lines += [
                f"    {title:20} {slug:24} {count:5} {count / cases:6.1%}"
                for (of, slug), count in counter.most_common()
                if of == strategy
            ]
    lines += [f"  known difference: {slug} {count}" for slug, count in tally.known.items()]
    lines.append(f"  statements: {dict(tally.statements)}")
    lines.append(f"  parts: {sum(tally.parts.values())}, not valid: {sum(tally.invalid.values())}")
    lines += [f"    {count:4} {what}" for what, count in tally.invalid.most_common(10)]
    return "\n".join(lines)
