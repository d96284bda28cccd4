"""A web server on loopback that plays somebody else's service: it keeps what it was asked, and errs as it is told."""

import gzip
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, urlsplit

Trouble = Literal["500", "silent", "dribbles", "huge", "gzip bomb", "redirect", "hangs up", "not json", "odd json"]
"""How a path may err: an error, no answer, a byte now and then, 64 MiB of it, the same compressed, another address, a
connection that is cut, a page, JSON of another kind."""

_HUGE = 64 << 20
_STANDS = TypeVar("_STANDS", bound="Upstream")


@dataclass(frozen=True)
class Asked:
    """One request: names of fields are in lower case, and a parameter that came twice is in `repeated`."""

    method: str
    path: str
    query: Mapping[str, str]
    fields: Mapping[str, str]
    form: Mapping[str, str]
    repeated: frozenset[str]


@dataclass(frozen=True)
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    fields: Mapping[str, str] = field(default_factory=dict)


def json_answer(value: object, status: int = 200, **fields: str) -> Answer:
    """A value as JSON; `Cache_Control="no-store"` is a field."""
    named = {name.replace("_", "-"): text for name, text in fields.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"} | named)


def redirect_to(address: str) -> Answer:
    """Elsewhere."""
    return Answer(302, b"", {"Location": address})


class Upstream:
    """A service. `troubles` are by path, and count until they are taken away; `asked` is in order of arrival."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.troubles: dict[str, Trouble] = {}
        self.went_elsewhere = 0
        """How many requests followed the redirect of a path in trouble."""
        self._gone = threading.Event()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, asked: Asked) -> Answer:
        """What it says when it is not in trouble."""
        raise NotImplementedError

    def asked_at(self, path: str) -> list[Asked]:
        """What came for one path."""
        return [one for one in self.asked if one.path == path]

    def serve(self) -> None:
        """Until `stop`; in a thread of its own, so that a test may wait for whoever asks."""
        while not self._gone.is_set():
            self._server.handle_request()

    def stop(self) -> None:
        """Let go of everybody, and take nobody more."""
        self._gone.set()
        socket.create_connection(self._server.server_address[:2]).close()  # it waits for somebody to come

    def close(self) -> None:
        """After the last request."""
        self._server.server_close()

    def respond(self, asked: Asked, send: Callable[[Answer], None], dribble: Callable[[bytes], None]) -> None:
        """Keep the request, then answer it or err."""
        self.asked.append(asked)
        if asked.path == "/elsewhere":
            self.went_elsewhere += 1
        trouble = self.troubles.get(asked.path)
        if trouble == "silent":
            self._gone.wait()
        elif trouble == "dribbles":
            for _ in iter(lambda: self._gone.wait(0.2), True):
                dribble(b" ")
        elif trouble == "hangs up":
            raise ConnectionAbortedError
        else:
            send(self.answer(asked) if trouble is None else _in_trouble(trouble, self.url))


def _in_trouble(trouble: Trouble, url: str) -> Answer:
    kind = {"Content-Type": "application/json"}
    match trouble:
        case "500":
            return json_answer({"error": "server_error", "error_description": "<b>oops</b>"}, 500)
        case "huge":
            return Answer(200, b'{"pad": "' + b"x" * _HUGE + b'"}', kind)
        case "gzip bomb":
            return Answer(200, _bomb(), kind | {"Content-Encoding": "gzip"})
        case "redirect":
            return Answer(307, b"", {"Location": f"{url}/elsewhere"})
        case "not json":
            return Answer(200, b"<!doctype html><title>Welcome</title>", {"Content-Type": "text/html"})
    return json_answer("neither an object nor a list")


@cache
def _bomb() -> bytes:
    """64 MiB that travel as 64 KiB, and are an object when they have been unpacked."""
    return gzip.compress(b'{"pad": "' + b"x" * _HUGE + b'"}')


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, upstream: Upstream) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream

    def handle_error(self, request: object, client_address: object) -> None:
        """Whoever asked has gone, or has been let go of: that is not news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        self._respond()

    def _respond(self) -> None:
        self.close_connection = True
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        query = parse_qsl(parts.query, keep_blank_values=True)
        is_form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        form = parse_qsl(body, keep_blank_values=True) if is_form else []
        names = [name for name, _ in query + form]
        self.server.upstream.respond(
            Asked(
                self.command,
                parts.path,
                dict(query),
                {name.lower(): value for name, value in self.headers.items()},
                dict(form),
                frozenset(name for name in names if names.count(name) > 1),
            ),
            self._send,
            self._dribble,
        )

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {**answer.fields, "Content-Length": str(len(answer.body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _dribble(self, some: bytes) -> None:
        if not getattr(self, "_begun", False):
            self._begun = True
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
        self.wfile.write(some)
        self.wfile.flush()

    def log_message(self, *what: object) -> None:
        """Say nothing."""


@contextmanager
def standing(upstream: _STANDS) -> Iterator[_STANDS]:
    """A service that stands."""
    thread = threading.Thread(target=upstream.serve, daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.stop()
        thread.join()
        upstream.close()
