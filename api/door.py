"""The door: who is calling, how much they may send, and which runtime serves them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import MEDIA_TYPE, problem
from returns.errors import RequestTooLarge
from settlement.commands.access import Caller, authenticate
from settlement.runtime import Runtime

#: A bulk of orders fits; nothing that a client sends needs more.
MAX_BODY = 4 * 1024 * 1024


async def get_runtime(request: Request) -> Runtime:
    """The process's runtime, put on the application by its factory.

    Asynchronous because it waits for nothing: FastAPI would call a plain function in a thread.
    """
    runtime: Runtime = request.app.state.runtime
    return runtime


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


def get_caller(
    runtime: RuntimeDep, authorization: Annotated[str | None, Header()] = None
) -> Caller:
    """The proven caller; raises `CredentialsInvalid`."""
    return authenticate(runtime, authorization)


CallerDep = Annotated[Caller, Depends(get_caller)]


class BodyLimit:
    """Refuses bodies above `MAX_BODY`, by their announced and by their real length."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > MAX_BODY:
            await _refuse(send)
            return
        await self._app(scope, _counted(receive), send)


def _counted(receive: Receive) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise RequestTooLarge(limit=MAX_BODY)
        return message

    return counted


async def _refuse(send: Send) -> None:
    document: dict[str, Any] = problem(RequestTooLarge(limit=MAX_BODY))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": document["status"], "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(document).encode()})
