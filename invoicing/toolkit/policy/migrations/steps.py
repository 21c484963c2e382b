"""What is kept of a revision when its file has been read: small, and good for another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from invoicing.toolkit.policy.finding import PolicyFinding

if TYPE_CHECKING:
    from invoicing.toolkit.policy.migrations.actions import Action


@dataclass(frozen=True)
class RevisionSteps:
    """A revision, as its history needs it.

    Attributes:
        path: its file.
        identifier: its id; None where that is no constant.
        parents: the ids it comes after; None where they are no constants.
        is_labelled: whether it begins a branch with a name.
        is_flagged: whether its docstring says that data is lost.
        upgrade: what upgrade() does.
        needs: the ids it depends on in other branches.
        place: the line and column of what says its parents.
        downgrade: what downgrade() does; None where it cannot be seen, or what is wrong with it
            is said without a history.
    """

    path: str
    identifier: str | None
    parents: tuple[str, ...] | None
    is_labelled: bool
    is_flagged: bool
    upgrade: tuple[Action, ...]
    place: tuple[int, int] = (1, 1)
    needs: tuple[str, ...] = ()
    downgrade: tuple[Action, ...] | None = None

    def finding(self, rule: str, place: tuple[int, int], message: str, fix: str) -> PolicyFinding:
        """Make a finding at a line and column of its file."""
        return PolicyFinding(self.path, *place, rule, message, fix)
