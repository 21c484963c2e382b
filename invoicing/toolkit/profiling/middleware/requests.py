"""The last requests of an application: their statements, findings and times."""

from __future__ import annotations

from collections import deque
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from invoicing.errors import UsageError
from invoicing.toolkit.profiling.middleware.page import list_page, request_page
from invoicing.toolkit.profiling.middleware.record import RequestRecord
from invoicing.toolkit.profiling.recorder import record_queries
from invoicing.toolkit.profiling.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from invoicing.toolkit.profiling.findings.thresholds import Thresholds
    from invoicing.toolkit.profiling.recorder import Recorder

LOCAL = ("127.0.0.1", "::1", "localhost")
# By which a proxy says that it asks for another: its own address is no reason to trust that one.
FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-real-ip"})


class PageResponse(NamedTuple):
    """What is sent for an address below the page's."""

    status: int
    body: bytes


class RequestLog:
    """Records requests, keeps the last of them, and shows them.

    Args:
        page: the address of the page.
        keep: how many requests are kept.
        sample: a share of the requests to record, by chance.
        hosts: from where the page may be asked for, and through no proxy; it shows the text of
            statements. None for anywhere.
        target: whose statements, as of `record_queries`; those of all engines if None.
        thresholds: from which size on something is a finding.
        allow: slugs of findings to leave out.

    Attributes:
        records: the last requests, the newest first.

    Raises:
        UsageError: `page` or `keep` is invalid.
        SampleError: `sample` is no share.
    """

    def __init__(
        self,
        *,
        page: str = "/__queries__",
        keep: int = 50,
        sample: float = 1.0,
        hosts: Iterable[str] | None = LOCAL,
        target: object = None,
        thresholds: Thresholds | None = None,
        allow: Iterable[str] = (),
    ) -> None:
        if not page.startswith("/") or page == "/":
            raise UsageError(f"page={page!r} is no address of its own. Write page='/__queries__'")
        if not isinstance(keep, int) or keep < 1:
            raise UsageError(f"keep={keep!r} keeps no request. Give a number from 1 on")
        self.page = page.rstrip("/")
        self.records: deque[RequestRecord] = deque(maxlen=keep)
        self._hosts = None if hosts is None else frozenset(hosts)
        self._sampler = Sampler(sample)
        self._numbers = count(1)
        self._target, self._thresholds, self._allow = target, thresholds, tuple(allow)
        # Mistakes are said when the application starts, not at its first request.
        self._recorder()

    def begin(self, method: str, path: str) -> RequestRecord | None:
        """Return the record of a request, to be entered; None where it is not in the sample."""
        if not self._sampler.takes():
            return None
        record = RequestRecord(next(self._numbers), method, path, self._recorder())
        record.began = perf_counter()
        return record

    def end(self, record: RequestRecord) -> None:
        """Keep a request whose answer has been sent."""
        record.seconds = perf_counter() - record.began
        self.records.appendleft(record)

    def _recorder(self) -> Recorder:
        return record_queries(
            self._target, thresholds=self._thresholds, allow=self._allow, wire=False
        )

    def answer(self, path: str, host: str | None, headers: Iterable[str]) -> PageResponse | None:
        """Return the page of an address; None where it is the application's own.

        Args:
            path: what is asked for.
            host: who asks.
            headers: the names of the request's headers, in lower case.
        """
        if path != self.page and not path.startswith(f"{self.page}/"):
            return None
        if self._hosts is not None and (
            host not in self._hosts or not FORWARDED.isdisjoint(headers)
        ):
            return PageResponse(403, b"The page of queries is for this computer only.\n")
        number = path[len(self.page) :].strip("/")
        if not number:
            return PageResponse(200, list_page([*self.records], self.page).encode())
        for record in tuple(self.records):
            if str(record.number) == number:
                return PageResponse(200, request_page(record, self.page).encode())
        return PageResponse(404, b"This request is not kept any more.\n")


class Profiled:
    """An application around another, which records what each request asks.

    Args:
        app: the application.
        options: those of `RequestLog`.

    Attributes:
        log: the last requests.
    """

    def __init__(self, app: Callable[..., Any], **options: Any) -> None:
        self.app = app
        self.log = RequestLog(**options)
