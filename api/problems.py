"""Errors as RFC 9457 problem documents: code, sentence, what to do next, whether anything moved."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError, OperationalError
from starlette.exceptions import HTTPException

from returns.errors import (
    ConcurrentChange,
    FieldInvalid,
    MethodNotAllowed,
    NotFound,
    RequestMalformed,
    StorageUnavailable,
    UndropError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


def problem(error: UndropError) -> dict[str, Any]:
    """The problem document of an error. Values that it names are part of its sentence."""
    return {
        "type": f"urn:undrop:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.status,
        "code": error.code,
        "detail": str(error),
        "next_step": error.next_step,
        "moved": error.moved,
    }


def respond(error: UndropError) -> JSONResponse:
    """A problem document as an answer."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return JSONResponse(problem(error), error.status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every failure of the application answer with a problem document."""
    app.add_exception_handler(UndropError, _expected)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(IntegrityError, _raced)
    app.add_exception_handler(OperationalError, _storage)
    app.add_exception_handler(Exception, _fault)


def _expected(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UndropError)  # noqa: S101
    return respond(error)


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])[:200]
    message = str(first["msg"]).removeprefix("Value error, ").rstrip(".")[:500]
    if first["type"] == "model_attributes_type" and not where:
        message = "it is not a JSON object; is Content-Type: application/json set?"
    if first["type"] == "json_invalid":
        return respond(RequestMalformed(problem=message))
    return respond(FieldInvalid(field=where or "body", problem=message))


def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    if isinstance(error.__cause__, UndropError):
        # FastAPI hides what stopped the reading of a body behind its own exception.
        return respond(error.__cause__)
    if error.status_code == 405:
        return respond(MethodNotAllowed())
    if error.status_code == 404:
        return respond(NotFound(what="page"))
    return respond(RequestMalformed(problem=str(error.detail)[:200]))


def _raced(_request: Request, error: Exception) -> JSONResponse:
    log.warning("request.raced problem=%s", type(error).__name__)
    return respond(ConcurrentChange())


def _storage(_request: Request, error: Exception) -> JSONResponse:
    log.error("request.storage problem=%s", type(error).__name__)
    return respond(StorageUnavailable())


def _fault(request: Request, error: Exception) -> JSONResponse:
    log.error("request.fault path=%s", request.url.path, exc_info=error)
    return respond(UndropError())
