"""Keep the SQLAlchemy statement behind a text that is sent again and again, to build its bulk form.

Only of the third on, and of so many texts at the most: what a statement was built from, objects of
the program among it, is not to live longer for a recording.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.engine import ExecutionContext

AGAIN, KEPT = 3, 200


class Invoked:
    """The statements of one recording that came again.

    Attributes:
        statements: by the text that was sent.
    """

    def __init__(self) -> None:
        self.statements: dict[str, Any] = {}
        self._times: Counter[str] = Counter()

    def note(self, text: str, context: ExecutionContext) -> None:
        """Note that a statement is sent."""
        times = self._times[text] = self._times[text] + 1
        if times == AGAIN and len(self.statements) < KEPT:
            self.statements[text] = context.invoked_statement
