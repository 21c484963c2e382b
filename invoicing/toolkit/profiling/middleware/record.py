"""One request of an application, as it was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoicing.toolkit.profiling.recorder import Recorder


@dataclass
class RequestRecord:
    """One request that was recorded.

    Attributes:
        number: which of the requests that were recorded.
        method: `GET`.
        path: without its query string, which may hold secrets.
        recorder: what it asked.
        status: of the answer; None where there was none.
        seconds: until the last of the answer was sent.
    """

    number: int
    method: str
    path: str
    recorder: Recorder
    status: int | None = None
    seconds: float = 0.0
    began: float = 0.0
