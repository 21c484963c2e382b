"""For ASGI applications: FastAPI, Starlette, Litestar, Django.

    app.add_middleware(ProfileMiddleware, sample=0.1)

Each request is a recording of its own: what its tasks and threads send belongs to it, until the
last of its answer and its background tasks are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.profiling.middleware.requests import Profiled

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[Message, Callable[[], Awaitable[Message]], Send], Awaitable[None]]


class ProfileMiddleware(Profiled):
    """An ASGI application around another, which records what each request asks; see `Profiled`."""

    app: Application

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
    ) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = scope.get("client")
        headers = (name.decode("latin-1").lower() for name, _ in scope.get("headers", ()))
        answer = self.log.answer(scope["path"], client[0] if client else None, headers)
        if answer is not None:
            await _send(send, answer.status, answer.body)
            return
        record = self.log.begin(scope["method"], scope["path"])
        if record is None:
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        try:
            async with record.recorder:
                await self.app(scope, receive, sending)
        finally:
            self.log.end(record)


async def _send(send: Send, status: int, body: bytes) -> None:
    kind = b"text/html" if status == 200 else b"text/plain"  # noqa: PLR2004 -- HTTP's
    headers = [
        (b"content-type", kind + b"; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
