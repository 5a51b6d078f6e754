"""HTTP: paths, what they take and what they answer. `guard` stands before all of it.

Handlers that are not coroutines run in threads, so that a slow one delays nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from whitecrow.errors import UserError
from whitecrow.web import exchange, finding, trouble, views
from whitecrow.web.session import Conflict, Session

__all__ = ["build"]

_HERE = Path(__file__).parent
# Nothing else is a static file: a path out of the folder is not a key.
_STATIC = {
    "page.js": (_HERE / "static" / "page.js", "text/javascript; charset=utf-8"),
    "page.css": (_HERE / "static" / "page.css", "text/css; charset=utf-8"),
    "icon.svg": (_HERE / "static" / "icon.svg", "image/svg+xml"),
    "report.css": (
        _HERE.parent / "report" / "templates" / "style.css",
        "text/css; charset=utf-8",
    ),
}


def build(session: Session) -> Starlette:
    """Build the application of one session, unguarded."""
    posts: dict[str, Callable[[Session, dict[str, Any]], dict[str, Any]]] = {
        "/api/answer": _answer,
        "/api/undo": _undo,
        "/api/finish": _finish,
    }
    gets = {
        "/": _page,
        "/static/{name}": _static,
        "/api/state": _state,
        "/api/question/{row:int}": _question,
        "/api/rows": _rows,
        "/api/export/{kind}": _export,
        "/picture/{row:int}": _picture,
        "/heat/{row:int}": _heat,
    }
    routes = [Route(path, partial(work, session)) for path, work in gets.items()]
    routes += [
        Route(path, partial(_posted, session, work), methods=["POST"])
        for path, work in posts.items()
    ]
    routes.append(Route("/api/import", partial(_import, session), methods=["POST"]))
    handlers = {UserError: _refuse, HTTPException: _no_such, Exception: _failed}
    return Starlette(routes=routes, exception_handlers=handlers)


def _refuse(request: Request, error: Exception) -> Response:
    status = 409 if isinstance(error, Conflict) else 422
    return JSONResponse({"error": " ".join(str(error).split())}, status)


def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


def _failed(request: Request, error: Exception) -> Response:
    """Answer an unexpected error: the terminal has the traceback, the page a line."""
    text = f"The server could not do that: {trouble.said(error)}. What was answered is "
    text += "saved; try again, or look at the terminal where whitecrow runs"
    return JSONResponse({"error": text}, 500)


# ------------------------------------------------------------------------ reading


def _page(session: Session, request: Request) -> Response:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("whitecrow", "web/templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    data = session.data
    text = environment.get_template("page.html.j2").render(
        name=Path(data.source).name,
        source=data.source,
        short="/".join(Path(data.source).parts[-2:]),
        kind=data.kind,
        thing=data.things.removesuffix("s"),
    )
    return HTMLResponse(text)


def _static(session: Session, request: Request) -> Response:
    if request.path_params["name"] not in _STATIC:
        raise HTTPException(404)
    path, media_type = _STATIC[request.path_params["name"]]
    return Response(path.read_bytes(), media_type=media_type)


def _state(session: Session, request: Request) -> Response:
    return JSONResponse(_shown(session))


def _question(session: Session, request: Request) -> Response:
    return JSONResponse({"question": session.question(request.path_params["row"])})


def _rows(session: Session, request: Request) -> Response:
    query = request.query_params
    found = finding.find(session, query.get("q", "")[:200], query.get("show", "all"))
    return JSONResponse(found)


def _export(session: Session, request: Request) -> Response:
    export = exchange.EXPORTS.get(request.path_params["kind"])
    if export is None:
        raise HTTPException(404)
    content = export.content(session.loop, session.data)
    headers = {"Content-Disposition": f'attachment; filename="{export.name}"'}
    return Response(content, media_type=export.media_type, headers=headers)


def _picture(session: Session, request: Request) -> Response:
    row = _picture_row(session, request)
    small = "small" in request.query_params
    media_type, content = views.picture(session, row, small=small)
    return Response(content, media_type=media_type)


def _heat(session: Session, request: Request) -> Response:
    media_type, content = views.heat(session, _picture_row(session, request))
    return Response(content, media_type=media_type)


def _picture_row(session: Session, request: Request) -> int:
    row = int(request.path_params["row"])
    if session.data.kind == "table" or row >= len(session.data):
        raise HTTPException(404)
    return row


def _shown(session: Session) -> dict[str, Any]:
    return {"state": session.status(), "queue": session.queue(ready=True)}


# ------------------------------------------------------------------------ changing


async def _posted(
    session: Session,
    work: Callable[[Session, dict[str, Any]], dict[str, Any]],
    request: Request,
) -> Response:
    values = _object(await request.body())
    extra = await run_in_threadpool(work, session, values)
    return JSONResponse(await run_in_threadpool(_shown, session) | extra)


async def _import(session: Session, request: Request) -> Response:
    content = await request.body()
    name = request.query_params.get("name", "")[:200]
    text = str(await run_in_threadpool(session.take, name, content))
    return JSONResponse(await run_in_threadpool(_shown, session) | {"text": text})


def _object(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):  # the latter for brackets inside brackets
        values = None
    if not isinstance(values, dict):
        raise HTTPException(400, "the request is not a JSON object")
    return values


def _answer(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    row, seen = _whole(values, "id"), values.get("seen")
    if seen is not None:
        seen = _whole(values, "seen")
    session.answer(row, str(values.get("answer")), seen)
    return {}


def _undo(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    n = _whole(values, "n")
    if n < 1:
        raise HTTPException(400, "'n' is at least 1")
    rows = session.undo(n, values.get("last"))
    return {"question": session.question(rows[-1])} if rows else {}


def _finish(session: Session, values: dict[str, Any]) -> dict[str, Any]:
    session.finish()
    return {}


def _whole(values: dict[str, Any], name: str) -> int:
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise HTTPException(400, f"{name!r} is not a whole number")
    return value
