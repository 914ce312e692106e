"""A server on this machine that answers as it is told, misbehaves on purpose, and remembers what it was asked."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


@dataclass
class Asked:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    at: float


class Handler(BaseHTTPRequestHandler):
    """Hands each request to the answer for its path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer; of several answers for one path each serves once, the last for ever."""
        server = self.server
        with server.lock:
            server.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, time.monotonic()))
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
            path = self.path.partition("?")[0]
            answers = server.routes.get(self.path) or server.routes.get(path) or [server.otherwise]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            # A client that has seen enough leaves in the middle.
            with suppress(ConnectionError):
                answer(self)
        finally:
            with server.lock:
                server.busy -= 1

    do_HEAD = do_GET

    def reply(self, code: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; `content_type=` becomes `Content-Type`."""
        self.start(code, len(body), **headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def start(self, code: int, length: int | None, **headers: str) -> None:
        """Status and headers."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-").title(), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()

    def hang_up(self) -> None:
        """Break the connection off."""
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The server; `url` is where it answers."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, list[Answer]] = {}
        self.otherwise = status(404)
        self.asked: list[Asked] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def on(self, path: str, *answers: Answer) -> str:
        """What `path` is answered with; returns its address."""
        self.routes[path] = list(answers)
        return self.url + path

    def paths(self) -> list[str]:
        """What was asked for, robots.txt left out."""
        return [asked.path for asked in self.asked if asked.path != "/robots.txt"]


@contextmanager
def serving() -> Iterator[Server]:
    """A server for the time of a test."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def status(code: int, **headers: str) -> Answer:
    """An answer without content."""
    return lambda handler: handler.reply(code, b"", **headers)


def redirect(to: str) -> Answer:
    """Go elsewhere."""
    return lambda handler: handler.reply(302, b"", location=to)


@dataclass
class Content:
    """A file as a good server serves it: with an ETag, from any byte on, and not again when it is known.

    cut: break off after this many bytes of each answer. claim: a `Content-Length` that is not true.
    """

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    etag: bool = True
    cut: int | None = None
    packed: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, handler: Handler) -> None:
        """Answer one request."""
        body = gzip.compress(self.body, mtime=0) if self.packed else self.body
        tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
        headers = {"content_type": self.content_type, **self.headers}
        if self.packed:
            headers["content_encoding"] = "gzip"
        if self.etag:
            headers["etag"] = tag
            if handler.headers.get("If-None-Match") == tag:
                handler.reply(304, etag=tag)
                return
        first, code = 0, 200
        asked = handler.headers.get("Range", "")
        if asked and handler.headers.get("If-Range") == tag and self.etag:
            first = int(asked.removeprefix("bytes=").rstrip("-"))
            if first >= len(body):
                handler.reply(416)
                return
            code = 206
            headers["content_range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        rest = body[first:]
        handler.start(code, len(rest), **headers)
        if self.cut is not None and self.cut < len(rest):
            handler.wfile.write(rest[: self.cut])
            handler.hang_up()
        else:
            handler.wfile.write(rest)


def hang(seconds: float) -> Answer:
    """Say nothing for a while, then hang up."""

    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        handler.hang_up()

    return answer


def endless(piece: bytes, pause: float = 0.0, seconds: float = 10.0) -> Answer:
    """A body that does not end (for `seconds`), a piece at a time."""

    def answer(handler: Handler) -> None:
        handler.start(200, None, content_type="text/plain")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            handler.wfile.write(piece)
            time.sleep(pause)

    return answer


def bomb(size: int) -> Answer:
    """Zeros, packed a thousand to one."""
    packed = gzip.compress(b"\0" * size, mtime=0)
    return lambda handler: handler.reply(200, packed, content_type="text/plain", content_encoding="gzip")
