"""What stands between the net and gradio: few routes are open, and each takes so much and no more, in so much time.

`OPEN` says which. What comes as JSON is parsed here, off the event loop, and goes on with the keys that the page sends
and no others. Uploads are counted for everyone and for each address. Streams, and calls beside the queue, are few for
each address. `Gate` is ASGI middleware; the gradio app behind it serves a `Served`.
"""

import asyncio
import json
import logging
import re
import time
from collections import Counter, defaultdict, deque
from http import HTTPStatus
from urllib.parse import parse_qs, parse_qsl, urlencode

from anyio.to_thread import run_sync
from starlette.responses import PlainTextResponse

from .queueing import SESSION, where

UPLOAD, BODY = "20mb", 32 * 1024**2  # a file, and a whole upload, in bytes
JSON = 256 * 1024  # bytes of any other request
HOUR = 3600
QUOTA, VISITORS_QUOTA = 2 * 1024**3, 256 * 1024**2  # bytes of uploads an hour, in total and from one address
STREAMS, VISITORS_STREAMS = 512, 256  # answers that are listened to
CALLS, WAITING = 8, 64  # from one address at a time, and those that may wait for that
SLOW_BODY, SLOW_UPLOAD = 10, 300  # seconds for a whole body
SILENCE = 15  # seconds without a byte of it
DEPTH = 32  # lists and objects within each other
KEYS = {"data", "session_hash", "fn_index", "event_data", "trigger_id", "event_id"}

# What is open: method, path, and how it is treated. Everything else does not exist.
OPEN = (
    ("GET", r"/", "page"),
    ("GET", r"/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?", "page"),
    ("GET", r"/(assets|static|svelte)/.+", "page"),
    ("GET", r"/gradio_api/(info|openapi\.json|app_id|startup-events|theme\.css|queue/status)/?", "page"),
    ("GET", r"/gradio_api/file=(?![a-zA-Z]+:).+", "page"),
    ("GET", r"/gradio_api/upload_progress", "stream"),
    ("GET", r"/gradio_api/heartbeat/(?P<session>[A-Za-z0-9_-]{1,64})", "stream"),
    ("GET", r"/gradio_api/queue/data", "listen"),
    ("GET", r"/gradio_api/call/(v2/)?generate/(?P<event>[0-9a-f]{1,64})", "listen"),
    ("POST", r"/gradio_api/call/(v2/)?generate/?", "json"),
    ("POST", r"/gradio_api/queue/join", "json"),
    ("POST", r"/gradio_api/(run|api)/[A-Za-z0-9_]{1,80}/?", "json"),
    ("POST", r"/gradio_api/(cancel|reset)/?", "json"),
    ("POST", r"/gradio_api/upload", "upload"),
)
_OPEN = [(method, re.compile(path), kind) for method, path, kind in OPEN]

log = logging.getLogger("scagan_hub.demo")


class Refused(Exception):
    """A request that goes no further: an HTTP status and a line."""

    def __init__(self, status: int, line: str):
        super().__init__(line)
        self.status, self.line = status, line


class Gate:
    """ASGI middleware before a gradio app."""

    def __init__(self, app):
        self.app = app
        self.streams: Counter[str] = Counter()
        self.calls: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(CALLS))
        self.waiting: Counter[str] = Counter()
        self.ledger = Ledger()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        begun = False

        async def noting(message):
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            kind, match = treated(scope["method"], scope["path"])
            await getattr(self, f"_{kind}")(scope, receive, noting, match)
        except Refused as refusal:
            if not begun:
                await PlainTextResponse(refusal.line, refusal.status)(scope, receive, send)
        except Exception as error:
            log.warning("%s %s failed: %s at %s", scope["method"], kind, type(error).__name__, where(error))
            if not begun:
                await PlainTextResponse("The request could not be understood.", 400)(scope, receive, send)

    async def _page(self, scope, receive, send, _):
        query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "deep_link"]
        scope = scope | {"query_string": urlencode(query).encode("latin-1")}
        await self.app(scope, _Body(receive, JSON, SLOW_BODY), send)

    async def _stream(self, scope, receive, send, _):
        address = _address(scope)
        if self.streams.total() >= STREAMS or self.streams[address] >= VISITORS_STREAMS:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections: close some pages.")
        self.streams[address] += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.streams[address] -= 1
            self.streams += Counter()  # without zeros

    async def _listen(self, scope, receive, send, match):
        queue = scope["app"].get_blocks()._queue
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        session = queue.session_of(match["event"]) if "event" in match.groupdict() else session
        if not SESSION.fullmatch(session):
            raise Refused(HTTPStatus.BAD_REQUEST, "session_hash: expected up to 64 letters and digits.")
        if session not in queue.pending_messages_per_session:
            raise Refused(HTTPStatus.NOT_FOUND, "There is nothing to wait for.")
        queue.heard(session)
        try:
            await self._stream(scope, receive, send, match)
        finally:
            queue.unheard(session)

    async def _json(self, scope, receive, send, match):
        body = await _Body(receive, JSON, SLOW_BODY, _length(scope)).whole()
        v2 = "/call/v2/" in scope["path"]
        body = await run_sync(_checked, body, v2)
        headers = [
            (name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")
        ]
        headers += [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
        address = _address(scope)
        if self.waiting[address] >= WAITING:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests at once: ask again in a moment.")
        self.waiting[address] += 1
        try:
            async with self.calls[address]:
                await self.app(scope | {"headers": headers}, _replay(body, receive), send)
        finally:
            self.waiting[address] -= 1
            if not self.waiting[address]:
                del self.waiting[address], self.calls[address]

    async def _upload(self, scope, receive, send, _):
        address = _address(scope)
        body = _Body(receive, BODY, SLOW_UPLOAD, _length(scope), self.ledger.taker(address))
        with scope["app"].get_blocks().uploading():
            await self.app(scope, body, send)


class Ledger:
    """How much was uploaded within the last hour, in total and from each address."""

    def __init__(self):
        self.entries: deque[tuple[float, str, int]] = deque()
        self.total, self.by_address = 0, Counter()

    def taker(self, address: str):
        """A function that enters so many bytes, or raises `Refused`."""

        def take(size: int):
            self._forget()
            if self.total + size > QUOTA or self.by_address[address] + size > VISITORS_QUOTA:
                raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too much was uploaded within an hour: come back later.")
            self.entries.append((time.monotonic(), address, size))
            self.total += size
            self.by_address[address] += size

        return take

    def _forget(self):
        while self.entries and time.monotonic() - self.entries[0][0] > HOUR:
            _, address, size = self.entries.popleft()
            self.total -= size
            self.by_address[address] -= size
        self.by_address += Counter()


class _Body:
    """A `receive` that ends the request when more than `most` bytes come, or they come too slowly."""

    def __init__(self, receive, most: int, seconds: float, announced: int = 0, take=None):
        self.receive, self.most, self.take = receive, most, take
        self.until = time.monotonic() + seconds
        self.come, self.done = 0, False
        if announced > most:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")

    async def __call__(self):
        if self.done:
            return await self.receive()
        patience = min(SILENCE, self.until - time.monotonic())
        try:
            message = await asyncio.wait_for(self.receive(), max(patience, 0.01))
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "The request came too slowly.") from None
        size = len(message.get("body", b""))
        self.come += size
        self.done = not message.get("more_body", False)
        if self.come > self.most:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The request is too large.")
        if self.take and size:
            self.take(size)
        return message

    async def whole(self) -> bytes:
        parts = []
        while not self.done:
            message = await self()
            if message["type"] == "http.disconnect":
                raise Refused(HTTPStatus.BAD_REQUEST, "The request broke off.")
            parts.append(message.get("body", b""))
        return b"".join(parts)


def treated(method: str, path: str) -> tuple[str, re.Match]:
    """How a request is treated, by `OPEN`.

    Raises:
        Refused: it is not open.
    """
    method = "GET" if method == "HEAD" else method
    for allowed, pattern, kind in _OPEN:
        if method == allowed and (match := pattern.fullmatch(path)):
            return kind, match
    raise Refused(HTTPStatus.NOT_FOUND, "There is nothing here.")


def _checked(body: bytes, free: bool) -> bytes:
    """The JSON object in a body, with the keys that are known unless it is `free`.

    Raises:
        Refused: not JSON, no object, too deep, or a value of another kind.
    """
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "Expected JSON.") from None
    if not isinstance(values, dict) or not _shallow(values):
        raise Refused(HTTPStatus.BAD_REQUEST, f"Expected a JSON object, at most {DEPTH} deep.")
    if not free:
        values = {key: value for key, value in values.items() if key in KEYS}
        for key in ("fn_index", "trigger_id"):
            if type(values.get(key)) not in (int, type(None)):
                raise Refused(HTTPStatus.BAD_REQUEST, f"{key}: expected a whole number.")
        session = values.get("session_hash")
        if session is not None and not (isinstance(session, str) and SESSION.fullmatch(session)):
            raise Refused(HTTPStatus.BAD_REQUEST, "session_hash: expected up to 64 letters and digits.")
        if not isinstance(values.get("data", []), list):
            raise Refused(HTTPStatus.BAD_REQUEST, "data: expected a list.")
    try:
        return json.dumps(values).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "Expected JSON.") from None


def _shallow(values) -> bool:
    level = [values]
    for _ in range(DEPTH):
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [value for part in inner for value in part if isinstance(value, (dict, list))]
        if not level:
            return True
    return False


def _replay(body: bytes, receive):
    sent = False

    async def replayed():
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


def _length(scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"0")
    return int(length) if length.isdigit() and len(length) < 20 else 0


def _address(scope) -> str:
    return scope["client"][0] if scope.get("client") else ""
