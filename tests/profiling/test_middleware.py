"""Requests of ASGI and WSGI applications, recorded one by one, with their page."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from invoicing.errors import UsageError
from invoicing.toolkit.profiling import record_queries
from invoicing.toolkit.profiling.errors import SampleError, UnknownFindingError
from invoicing.toolkit.profiling.middleware import ProfileMiddleware, WSGIProfileMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

PAGE = text("SELECT name FROM sqlite_master WHERE rootpage = :page")


@pytest.fixture
def shared() -> Iterator[Engine]:
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    yield engine
    engine.dispose()


def pages(engine: Engine, number: int) -> None:
    with engine.connect() as connection:
        for page in range(number):
            connection.execute(PAGE, {"page": page})


def asgi(engine: Engine) -> Any:
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        number = int(scope["path"].rpartition("/")[2])
        await asyncio.to_thread(pages, engine, number)
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        # What a stream or a background task sends belongs to it too.
        await asyncio.to_thread(pages, engine, 1)
        await send({"type": "http.response.body", "body": b"two"})

    return app


async def ask(
    app: Any, path: str, host: str | None = "127.0.0.1", *headers: tuple[bytes, bytes]
) -> tuple[int, str]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "client": host and (host, 1)}
    scope["headers"] = headers
    await app(scope, None, send)
    body = b"".join(each.get("body", b"") for each in sent)
    return sent[0]["status"], body.decode()


async def test_requests_side_by_side_do_not_mix(shared: Engine) -> None:
    app = ProfileMiddleware(asgi(shared))
    await asyncio.gather(*(ask(app, f"/pages/{number}") for number in (5, 1, 2)))
    counts = {record.path: len(record.recorder.statements) for record in app.log.records}
    assert counts == {"/pages/5": 6, "/pages/1": 2, "/pages/2": 3}
    assert {record.status for record in app.log.records} == {201}
    found = {record.path: record.recorder.findings for record in app.log.records}
    assert [finding.slug for finding in found.pop("/pages/5")] == ["n-plus-one"]
    assert not any(found.values())


async def test_the_page_shows_the_last_requests_and_each_by_itself(shared: Engine) -> None:
    app = ProfileMiddleware(asgi(shared), keep=2)
    for number in (1, 2, 5):
        await ask(app, f"/<pages>/{number}")
    status, page = await ask(app, "/__queries__")
    assert status == 200
    assert "/&lt;pages&gt;/5" in page
    assert "/&lt;pages&gt;/2" in page
    assert "/&lt;pages&gt;/1" not in page
    # Asking for the page is no request of the application's.
    assert len(app.log.records) == 2
    status, request = await ask(app, "/__queries__/3")
    assert "[n-plus-one]" in str(app.log.records[0].recorder)
    assert "<h3>n-plus-one</h3>" in request
    assert request.count('class="bar"') == 6
    assert (await ask(app, "/__queries__/1"))[0] == 404


@pytest.mark.parametrize("host", ["192.0.2.7", None])
async def test_the_page_is_for_this_computer_only(shared: Engine, host: str | None) -> None:
    app = ProfileMiddleware(asgi(shared))
    assert (await ask(app, "/__queries__", host))[0] == 403
    assert (await ask(app, "/pages/1", host))[0] == 201
    assert (await ask(ProfileMiddleware(asgi(shared), hosts=None), "/__queries__", host))[0] == 200


@pytest.mark.parametrize("name", ["X-Forwarded-For", "forwarded", "X-Real-IP", "Via"])
async def test_a_proxy_on_this_computer_opens_the_page_to_no_one(shared: Engine, name: str) -> None:
    """Whoever asks through it has the proxy's address."""
    header = (name.encode(), b"192.0.2.7")
    app = ProfileMiddleware(asgi(shared))
    assert (await ask(app, "/__queries__", "127.0.0.1", header))[0] == 403
    assert (await ask(app, "/pages/1", "127.0.0.1", header))[0] == 201
    wsgi = WSGIProfileMiddleware(lambda _environ, _start: [])
    variable = {f"HTTP_{name.upper().replace('-', '_')}": "192.0.2.7"}
    assert call(wsgi, "/__queries__", **variable)[0] == "403 Forbidden"


async def test_what_an_application_raises_goes_on_and_is_kept() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ZeroDivisionError

    middleware = ProfileMiddleware(app)
    with pytest.raises(ZeroDivisionError):
        await ask(middleware, "/pages/1")
    assert [record.status for record in middleware.log.records] == [None]
    assert "none" in (await ask(middleware, "/__queries__"))[1]


async def test_other_scopes_pass_by() -> None:
    seen = []

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    await ProfileMiddleware(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


def call(app: Any, path: str, host: str = "127.0.0.1", **more: str) -> tuple[str, str]:
    environ: dict[str, Any] = {"PATH_INFO": path, "SCRIPT_NAME": "", **more}
    environ["QUERY_STRING"] = "key=secret"
    environ["REMOTE_ADDR"] = host
    setup_testing_defaults(environ)
    begun: list[str] = []

    def start(status: str, _headers: object, *_: object) -> Any:
        begun.append(status)
        return lambda _: None

    body = validator(app)(environ, start)
    try:
        sent = b"".join(body).decode()
        return begun[0], sent
    finally:
        body.close()


def test_wsgi_requests_are_recorded_until_they_are_closed(shared: Engine) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        pages(shared, 5)
        yield environ["PATH_INFO"].encode()

    middleware = WSGIProfileMiddleware(app)
    threads = [Thread(target=call, args=(middleware, f"/{n}")) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(record.recorder) for record in middleware.log.records] == [5, 5, 5]
    status, page = call(middleware, "/__queries__")
    assert status == "200 OK"
    assert page.count("</a>") == 3
    assert "secret" not in page
    assert call(middleware, "/__queries__", "192.0.2.7")[0] == "403 Forbidden"
    with record_queries(shared) as after:
        pages(shared, 1)
    # Nothing of the middleware is left behind.
    assert len(after.statements) == 1
    assert len(middleware.log.records[0].recorder) == 5


def test_a_share_of_requests_is_recorded(shared: Engine) -> None:
    app = ProfileMiddleware(asgi(shared), sample=0.25, keep=1000)

    async def many() -> None:
        for _ in range(200):
            await ask(app, "/pages/0")

    asyncio.run(many())
    assert 30 <= len(app.log.records) <= 70


def test_a_share_of_units_of_work_is_recorded(shared: Engine) -> None:
    with record_queries(shared, sample=0.1) as recorder:
        for _ in range(300):
            pages(shared, 2)
    assert 15 <= len(recorder.transactions) <= 50
    assert len(recorder.transactions) + recorder.left_out == 300
    # A unit of work is recorded as a whole.
    assert len(recorder.statements) == 2 * len(recorder.transactions)
    assert "units of work left out" in str(recorder)
    assert recorder.lost == 0


@pytest.mark.parametrize("share", [0, -0.1, 1.5, True, "all", float("nan")])
def test_a_share_that_is_none_is_refused(share: Any) -> None:
    with pytest.raises(SampleError, match="is no share"):
        record_queries(sample=share)


def test_mistakes_are_said_when_the_application_starts(shared: Engine) -> None:
    with pytest.raises(UnknownFindingError):
        ProfileMiddleware(asgi(shared), allow=["n+1"])
    with pytest.raises(UsageError, match="no address of its own"):
        ProfileMiddleware(asgi(shared), page="/")
    with pytest.raises(UsageError, match="keeps no request"):
        WSGIProfileMiddleware(asgi(shared), keep=0)
