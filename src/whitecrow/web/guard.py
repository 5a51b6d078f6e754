"""Who may talk to the page: the person at this machine, through the printed address.

A page elsewhere can send requests to a server on this machine. It has neither the
token (a cookie that the browser keeps from other sites), nor our Origin, nor, where a
name was made to point here, our Host.
"""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LARGEST_BODY", "LARGEST_IMPORT", "Guard"]

LARGEST_BODY = 64 * 1024
LARGEST_IMPORT = 32 * 1024 * 1024

_EVERYWHERE = {"0.0.0.0", "::"}
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
_READING = {"GET", "HEAD"}

_WELCOME = """<!doctype html>
<meta http-equiv="refresh" content="0; url=/">
<link rel="icon" href="/static/icon.svg">
<title>whitecrow</title>
"""
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


class Guard:
    """Checks every request before the page sees it, and adds headers to every reply.

    Parameters
    ----------
    app : ASGI application
    token : str
        Opens the page once; from then on a cookie has it.
    host : str
        The address that the server listens on.
    port : int
    """

    def __init__(self, app: ASGIApp, *, token: str, host: str, port: int) -> None:
        self.app = app
        self.token = token
        # Browsers do not keep the cookies of two ports apart.
        self.cookie = f"whitecrow-{port}"
        names = _LOOPBACK | {f"[{host}]" if ":" in host else host}
        self.hosts = {f"{name}:{port}" for name in names}
        self.any_host = host in _EVERYWHERE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # nothing here speaks over web sockets

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope) or self._entrance(scope)
        await (refusal or self.app)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers, reading = Headers(scope=scope), scope["method"] in _READING
        host = headers.get("host", "")
        if not self.any_host and host not in self.hosts:
            return _no(400, "the address is not one of this server")
        ours = headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        # A link elsewhere may lead here, but only to the page itself.
        if not ours and not (reading and scope["path"] == "/"):
            return _no(403, "the request comes from another site")
        if not reading and headers.get("origin") != f"http://{host}":
            return _no(403, "the request comes from another site")
        return None if reading else _too_long(headers, scope["path"])

    def _entrance(self, scope: Scope) -> Response | None:
        """Let in who has the cookie, and give it to who has the token."""
        given = re.search(rb"(?:^|&)token=([\w-]+)", scope["query_string"])
        if scope["path"] == "/" and given and self._is_token(given[1].decode()):
            # Not a redirect: after a link from elsewhere the browser would follow it
            # without the new cookie.
            welcome = HTMLResponse(_WELCOME)
            welcome.set_cookie(
                self.cookie, self.token, httponly=True, samesite="strict", path="/"
            )
            return welcome
        if self._is_token(self._cookie(Headers(scope=scope).get("cookie", ""))):
            return None
        return _no(
            403,
            "this page belongs to another start of whitecrow: open the whole address, "
            "with its token, that the terminal shows",
            as_text=scope["path"] == "/",
        )

    def _cookie(self, header: str) -> str:
        try:
            morsel = SimpleCookie(header).get(self.cookie)
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value

    def _is_token(self, given: str) -> bool:
        return secrets.compare_digest(given.encode(), self.token.encode())


def _too_long(headers: Headers, path: str) -> Response | None:
    length = headers.get("content-length", "")
    if not length.isdecimal():
        return _no(411, "the length of the request is not given")
    limit = LARGEST_IMPORT if path == "/api/import" else LARGEST_BODY
    if int(length) > limit:
        return _no(413, f"more than {limit // 1024:,} KiB are not taken")
    return None


def _no(status: int, why: str, *, as_text: bool = False) -> Response:
    if as_text:
        return PlainTextResponse(why + "\n", status)
    return JSONResponse({"error": why}, status)
