"""Defences between the network and the workbench: addresses, token, origin, sizes, rates and headers.

The server answers this machine only, unless it was given another address. A page of another site can make
a browser send requests here, and a name of another site can be made to mean this machine, so each request
must name this server as its host, come from its own pages, and carry the cookie. It is given once for the
token in the address printed at the start, and once for that in the page which a browser is started with:
other users of the machine see the command line of a browser, and no token is in it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from hashlib import sha256
from hmac import compare_digest
from html import escape
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode

if TYPE_CHECKING:
    from fastapi.responses import Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY = 1_000_000  # bytes of the largest request
PATIENCE = 15.0  # seconds in which a request's body must arrive
BURST, RATE = 400, 60.0  # requests with the cookie at once, and per second

LOOPBACK = ("127.0.0.1", "localhost", "::1")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, and no code or style inside a page."""
ASIDE = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For pictures and files of a run, which may come from a stranger: shown, never run."""
STYLE = (
    ":root{color-scheme:light dark}body{font:17px/1.5 system-ui,sans-serif;max-width:38rem;margin:12vh auto;"
    "padding:0 1.2rem}h1{font-size:1.4rem}code{font-family:ui-monospace,monospace}"
)
_STYLE_DIGEST = b64encode(sha256(STYLE.encode()).digest()).decode()
OF_PAGE = POLICY.replace("style-src 'self'", f"style-src 'sha256-{_STYLE_DIGEST}'")
"""For pages of refusals, which those see who may not read a style sheet here."""
PASSING = (401, 408, 429)  # refusals below 500 that do not last

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


class Refused(Exception):
    """A request that is refused, with its HTTP status and one line that says why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.why = status, reason


class Guard:
    """Application around another one that refuses requests, and adds headers to every answer.

    Parameters
    ----------
    token
        The secret in the address printed at the start, exchanged for the cookie once.
    host
        Address on which the server listens.
    port
        Its port.
    """

    def __init__(self, application: Application, token: str, host: str, port: int) -> None:
        self.application, self.host, self.port = application, host, port
        self.cookie = f"rivalry_{port}"  # cookies do not tell ports apart
        self.secret = secrets.token_urlsafe(32)
        self._tokens = {token}  # not yet exchanged
        self._names = {*LOOPBACK, host.lower(), socket.gethostname().lower()}
        self._left, self._since = float(BURST), time.monotonic()  # requests left, and when

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
        started, sets_cookie = False, False

        async def answer(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": self._headers(message["headers"], sets_cookie)}
            await send(message)

        try:
            self._check_host(headers)
            if scope["method"] == "POST" and _is_page(scope):
                form = (await _body(receive, headers)).decode("latin-1")
                sets_cookie = self._exchange(scope["query_string"].decode("latin-1"), form)
                await _onward(scope)(scope, receive, answer)
                return
            self._check_origin(scope["method"], headers)
            sets_cookie = self._admit(scope, headers)
            self._check_rate()
            body = await _body(receive, headers) if scope["method"] not in ("GET", "HEAD") else b""
            await self.application(scope, _replay(body, receive), answer)
        except Refused as refused:
            if not started:
                response = refusal(headers, refused.status, refused.why)
                if refused.status == 413:
                    response.headers["connection"] = "close"
                await response(scope, receive, answer)

    def _headers(self, headers: list[tuple[bytes, bytes]], sets_cookie: bool) -> list[tuple[bytes, bytes]]:
        """Return an answer's headers, with those of every answer; ``sets_cookie`` adds the cookie."""
        names = {name.lower() for name, _ in headers}
        added = [(name.encode(), text.encode()) for name, text in HEADERS.items()]
        if b"content-security-policy" not in names:
            added.append((b"content-security-policy", POLICY.encode()))
        if b"cache-control" not in names:
            added.append((b"cache-control", b"no-store"))
        if sets_cookie:
            cookie = f"{self.cookie}={self.secret}; Path=/; HttpOnly; SameSite=Strict"
            added.append((b"set-cookie", cookie.encode()))
        return [*headers, *added]

    def _check_host(self, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        name, port = _split_host(host)
        is_allowed = name in self._names or (self.host in ("0.0.0.0", "::") and _is_address(name))
        if not is_allowed or port not in (None, self.port):
            raise Refused(421, f"Host {host[:60]!r} is not this server's; open the address that it printed")

    def _check_rate(self) -> None:
        """Refuse floods of requests; those without the cookie were refused before and do not count."""
        now = time.monotonic()
        allowance = min(BURST, self._left + (now - self._since) * RATE)
        self._left, self._since = max(allowance - 1, 0.0), now
        if allowance < 1:
            raise Refused(429, "too many requests; wait a second")

    def new_token(self) -> str:
        """Return a further token that is exchanged for the cookie once."""
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        return token

    def _exchange(self, *queries: str) -> bool:
        """Use up a token, and return whether the answer is to have the cookie. Raises `Refused`."""
        tokens = [token for query in queries for token in parse_qs(query).get("token", ())]
        for valid_token in list(self._tokens):
            if any(compare_digest(token.encode(), valid_token.encode()) for token in tokens):
                self._tokens.discard(valid_token)
                return True
        cause = "its token was used already, or is of another start" if tokens else "it holds the token"
        remedy = "Ctrl-C in that terminal and `rivalry open` print a new one"
        raise Refused(401, f"open the address that `rivalry open` printed; {cause}; {remedy}")

    def _check_origin(self, method: str, headers: Mapping[str, str]) -> None:
        """Refuse what another site's page makes a browser send."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise Refused(403, f"a request of {origin[:60]}; only the workbench's own pages may ask")
        if method in ("GET", "HEAD"):
            navigates = headers.get("sec-fetch-mode", "navigate") == "navigate"
            if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not navigates:
                raise Refused(403, "a request of another site; only the workbench's own pages may ask")
            return
        if origin is None:
            raise Refused(403, "a request without Origin; only the workbench's own pages may change things")
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise Refused(415, "the body must be application/json")

    def _admit(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Refuse a request without cookie or token; return whether it is to receive the cookie."""
        # other programs on this machine set cookies too, of whatever form
        cookies = dict(part.strip().partition("=")[::2] for part in headers.get("cookie", "").split(";"))
        has_cookie = compare_digest(cookies.get(self.cookie, "").encode(), self.secret.encode())
        page = scope["method"] == "GET" and _is_page(scope)
        query = scope["query_string"].decode("latin-1") if page else ""
        try:
            return self._exchange(query)
        except Refused:
            if not has_cookie:
                raise
        return False


def _is_page(scope: Scope) -> bool:
    return not scope["path"].startswith(("/api/", "/static/"))


def refusal(headers: Mapping[str, str], status: int, reason: str) -> Response:
    """Return an answer that refuses a request: a page where a browser opens an address, else a table."""
    from fastapi.responses import HTMLResponse, JSONResponse  # not in processes that only raise `Refused`

    if "text/html" not in headers.get("accept", ""):
        return JSONResponse({"error": reason}, status)
    words = re.sub("`([^`]+)`", r"<code>\1</code>", escape(reason[:1].upper() + reason[1:]))
    place, link = ("", "Try again") if status >= 500 or status in PASSING else ("/", "Start page")
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>rivalry</title><style>{STYLE}</style><main><h1>The workbench of rivalry</h1>"
        f'<p>{words}.</p><p><a href="{place}">{link}</a></p></main></html>'
    )
    return HTMLResponse(text, status, {"content-security-policy": OF_PAGE})


def opening_page(address: str, token: str) -> str:
    """Return a page for the disk that opens an address and sends a token with it."""
    return (
        f'<!doctype html><meta charset="utf-8"><title>rivalry</title>'
        f'<form method="post" action="{escape(address)}">'
        f'<input type="hidden" name="token" value="{escape(token)}"><button>Open the workbench</button>'
        "</form><script>document.forms[0].submit()</script>"
    )


def _onward(scope: Scope) -> Response:
    """Return a page that goes on to the same address, now as one of this server's own pages."""
    from fastapi.responses import HTMLResponse

    # a redirection would still count as a request of the page with the form, and not be sent the cookie
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    query_string = urlencode([(name, value) for name, value in query if name != "token"])
    address = "/" + quote(scope["path"].lstrip("/")) + "?" * bool(query_string) + query_string
    return HTMLResponse(f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(address)}">')


def _split_host(text: str) -> tuple[str, int | None]:
    """Return name and port of a Host header.

    >>> _split_host("[::1]:80"), _split_host("localhost"), _split_host("a:b")
    (('::1', 80), ('localhost', None), ('', None))
    """
    name, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        name, port = text, ""
    if port and not (port.isascii() and port.isdigit() and len(port) < 6):
        return "", None
    return name.strip("[]").lower(), int(port) if port else None


def _is_address(name: str) -> bool:
    """True if a name is a number, which no other site's name server can change."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


async def _body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    """Return a request's body. Raises `Refused` for one that is too large or too slow."""
    rule = f"the body must be at most {BODY} bytes"
    length = headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 15 or int(length) > BODY:
        raise Refused(413, rule)
    body = b""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "the request ended early")
                body += bytes(message.get("body", b""))
                if len(body) > BODY:
                    raise Refused(413, rule)
                if not message.get("more_body"):
                    return body
    except TimeoutError:
        raise Refused(408, f"the body must arrive within {PATIENCE:g} seconds") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a receiver of a body that was read already, and then of what the client does."""
    is_sent = False

    async def replay() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
