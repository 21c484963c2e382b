"""A session that keeps a rename waiting, as errors and the status name it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Blocker:
    """A session that blocks us; ages are in seconds.

    A prepared transaction has no session: its `pid` is 0, and `application` names it.
    """

    pid: int
    application: str
    state: str
    age: float
    query: str

    def __str__(self) -> str:
        since = f"{self.state} for {self.age:,.0f} s"
        if not self.pid:
            return f"{self.application} ({since}): {self.query}"
        who = self.application or "no application_name"
        return f"pid {self.pid} ({who}, {since}): {self.query}"
