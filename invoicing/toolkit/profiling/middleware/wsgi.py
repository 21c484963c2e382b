"""For WSGI applications: Flask, Pyramid, Django.

    app.wsgi_app = WSGIProfileMiddleware(app.wsgi_app)

Each request is a recording of its own, until its answer has been sent and closed.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.middleware.requests import Profiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from invoicing.toolkit.profiling.middleware.record import RequestRecord
    from invoicing.toolkit.profiling.middleware.requests import PageResponse, RequestLog

    StartResponse = Callable[..., Any]
    Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class WSGIProfileMiddleware(Profiled):
    """A WSGI application around another, which records what each request asks; see `Profiled`."""

    app: Application

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        headers = (
            name.removeprefix("HTTP_").replace("_", "-").lower()
            for name in environ
            if name.startswith("HTTP_")
        )
        answer = self.log.answer(path, environ.get("REMOTE_ADDR"), headers)
        if answer is not None:
            return _sent(answer, start_response)
        record = self.log.begin(environ.get("REQUEST_METHOD", ""), path)
        if record is None:
            return self.app(environ, start_response)

        def starting(status: str, *args: Any) -> object:
            record.status = int(status.partition(" ")[0])
            return start_response(status, *args)

        record.recorder.__enter__()
        try:
            body = self.app(environ, starting)
        except BaseException:
            _end(self.log, record)
            raise
        return _Body(body, self.log, record)


class _Body:
    """What an application answers; the recording ends when the server closes it."""

    def __init__(self, body: Iterable[bytes], log: RequestLog, record: RequestRecord) -> None:
        self._body, self._log, self._record = body, log, record

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            _end(self._log, self._record)


def _end(log: RequestLog, record: RequestRecord) -> None:
    record.recorder.__exit__()
    log.end(record)


def _sent(answer: PageResponse, start_response: StartResponse) -> list[bytes]:
    status = HTTPStatus(answer.status)
    kind = "text/html" if status is HTTPStatus.OK else "text/plain"
    headers = [
        ("Content-Type", f"{kind}; charset=utf-8"),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(f"{status.value} {status.phrase}", headers)
    return [answer.body]
