"""The management port of a real server with two workers: what it tells, what it refuses, and that it adds up."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.gatepost import ServedGatepost
from tests.servers.process import free_ports


class Managed(ServedGatepost):
    """A server with a management port."""

    def __init__(self, folder: Path) -> None:
        self.management = free_ports(1)[0]
        super().__init__(folder, SERVER__WORKERS="2", SERVER__MANAGEMENT_PORT=str(self.management))

    def tell(self, path: str, method: str = "GET", **more: object) -> httpx2.Response:
        """One request to the management port, on a connection of its own: whichever worker is free."""
        return httpx2.request(method, f"http://127.0.0.1:{self.management}{path}", **more)  # type: ignore[arg-type]  # by name, as given

    def figures(self) -> dict[str, float]:
        """Each series by its name and labels."""
        answer = self.tell("/metrics")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        samples = [one for family in text_string_to_metric_families(answer.text) for one in family.samples]
        return {f"{one.name}{one.labels or ''}": one.value for one in samples}

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        found = psutil.Process(self.pid).children()
        return [one for one in found if "spawn_main" in " ".join(one.cmdline())]


@pytest.fixture(scope="module")
def managed(server_folder: Path) -> Iterator[Managed]:
    server = Managed(server_folder / "managed")
    server.start()
    yield server
    server.kill()


def settled(managed: Managed, series: str, expected: float) -> float:
    """What the series stands at, when it has come to it; what it stands at after a while otherwise."""
    deadline = time.monotonic() + 60
    while (found := managed.figures().get(series, 0.0)) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def counted(status: int) -> str:
    return f"gatepost_http_requests_total{ {'method': 'GET', 'route': '/auth/verify', 'status': str(status)} }"


def test_it_tells_of_life_and_readiness_and_of_nothing_else(managed: Managed) -> None:
    assert managed.tell("/livez").json() == {"status": "alive"}
    ready = managed.tell("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    for path in ("/", "/auth/login", "/docs", "/openapi.json", "/users/me", "/auth/verify", "/livez/", "//metrics"):
        answer = managed.tell(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
    assert httpx2.get(f"{managed.url}/livez").status_code == 200
    refused = httpx2.get(f"{managed.url}/metrics")
    assert (refused.status_code, refused.json()["code"]) == (401, "not_authenticated")


def test_other_methods_and_bodies_are_refused_and_head_has_no_body(managed: Managed) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        answer = managed.tell("/metrics", method)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD"), method
    assert managed.tell("/livez", content=b"{}").json()["code"] == "invalid_request"
    assert managed.tell("/livez", content=iter([b"{}"])).status_code == 400
    head = managed.tell("/metrics", "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert managed.tell("/livez", headers={"X-Long": "x" * 40_000}).status_code == 431
    assert "x-request-id" in managed.tell("/livez").headers


def test_what_both_workers_answered_is_added_up_and_a_killed_worker_takes_nothing_along(managed: Managed) -> None:
    before = managed.figures().get(counted(401), 0.0)
    for _ in range(40):
        assert httpx2.get(f"{managed.url}/auth/verify").status_code == 401
    assert settled(managed, counted(401), before + 40) == before + 40
    assert settled(managed, "gatepost_workers", 2) == 2
    victim, _ = managed.workers()
    told = managed.figures()
    os.kill(victim.pid, signal.SIGKILL)
    assert settled(managed, "gatepost_worker_starts_total", 3) == 3
    after = managed.figures()
    assert settled(managed, "gatepost_workers", 2) == 2
    counters = [name for name in told if "_total" in name or "_count" in name or "_sum" in name or "_bucket" in name]
    assert len(counters) > 50
    assert [name for name in counters if after[name] < told[name]] == []
    assert after[counted(401)] == before + 40


def test_no_series_comes_from_what_a_caller_says(managed: Managed) -> None:
    names = set(managed.figures())
    for number in range(30):
        httpx2.get(f"{managed.url}/nowhere/{number}", headers={"X-Request-ID": f"id{number}"})
        httpx2.request(("PROPFIND", "LOCK", "MKCOL")[number % 3], f"{managed.url}/auth/verify")
        httpx2.get(f"{managed.url}/auth/verify?scope=scope{number}")
    other = f"gatepost_http_requests_total{ {'method': 'other', 'route': '/auth/verify', 'status': '405'} }"
    assert settled(managed, other, 30) == 30
    new = set(managed.figures()) - names
    assert len([name for name in new if "http_requests_total" in name]) <= 2
    assert not any("nowhere" in name or "LOCK" in name or "scope" in name for name in new)


def test_connections_that_dawdle_hang_nothing_when_it_is_told_to_stop(managed: Managed) -> None:
    address = ("127.0.0.1", managed.management)
    with socket.create_connection(address) as idle, socket.create_connection(address) as half:
        half.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n")
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(100).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        managed.stop()
        assert time.monotonic() - began < 8, "it did not end by itself"
