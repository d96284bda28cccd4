"""The server processes under load: on one core of their own, with their processor time read from outside."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.servers.process import ServerProcess, free_ports

ROOT = Path(__file__).parent.parent
_CPUCLOCK_SCHED = 2  # with the id of a process: its clock, as clock_getcpuclockid(3) names it
SERVER_CORE, CLIENT_CORE = 0, 1
IS_PINNED = hasattr(os, "sched_setaffinity") and {SERVER_CORE, CLIENT_CORE} <= os.sched_getaffinity(0)


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What runs and what is started inside stays on this core, where the system can do that."""
    if not IS_PINNED:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker(ServerProcess):
    """One uvicorn process of `app`, set as Gatepost sets it. `took` is the time to its first answer."""

    def __init__(self, app: str, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        port = free_ports(1)[0]
        where = ["--host", "127.0.0.1", "--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        lean = ["--no-access-log", "--no-server-header", "--no-proxy-headers", "--log-level", "warning"]
        self._run([sys.executable, "-m", "uvicorn", app, *where, *lean], folder, environ or {}, port=port)

    def _run(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], *, port: int) -> None:
        folder.mkdir()
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.took = 0.0
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
        paths = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
        super().__init__(
            command,
            folder=folder,
            is_ready=self._is_alive,
            environ={**kept, **environ, "PYTHONPATH": paths},
        )

    def start(self) -> None:
        """Start it on the servers' core, and wait for its first answer."""
        began = time.perf_counter()
        with on_core(SERVER_CORE):
            super().start()
        self.took = time.perf_counter() - began

    def cpu(self) -> float:
        """Seconds of processor time so far, user and system, all threads."""
        if sys.platform == "linux":  # to the nanosecond, where psutil counts in ticks of 10 ms
            return time.clock_gettime(~self.pid << 3 | _CPUCLOCK_SCHED)
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def resident(self) -> float:
        """Resident memory in MiB."""
        return psutil.Process(self.pid).memory_info().rss / 2**20

    def _is_alive(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=1):
                return True
        except urllib.error.HTTPError:
            return True  # a refusal is an answer
        except (urllib.error.URLError, OSError):
            return False


class GatepostWorker(Worker):
    """`gatepost serve` with one worker."""

    def __init__(self, folder: Path, environ: Mapping[str, str], *, port: int | None = None) -> None:
        port = port or free_ports(1)[0]
        here = {"GATEPOST_SERVER__HOST": "127.0.0.1", "GATEPOST_SERVER__PORT": str(port), "GATEPOST_VAR": str(folder)}
        self._run([sys.executable, "-m", "service", "serve"], folder, {**environ, **here}, port=port)
