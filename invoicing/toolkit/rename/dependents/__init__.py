"""Everything that names a column or its table, found in the catalog: one file for each kind.

A file here with `KINDS` in it is a kind of dependent: how it is found, and what each strategy does
with it. There are four verdicts: *carried* by us or by PostgreSQL; *noted*; *later*: to be changed
by its owner after the backfill, and until then the contract is refused; *refused*: nothing can
begin. What no kind has claimed is refused, too (see `unclaimed`).

What it does not detect: names in code that the database does not keep, and names that a function
puts together from pieces.
"""

from __future__ import annotations

from invoicing.toolkit.rename.dependents.registry import (
    cannot_follow,
    find_dependents,
    judge,
    judged,
    slugs,
    word,
)

__all__ = ["cannot_follow", "find_dependents", "judge", "judged", "slugs", "word"]
