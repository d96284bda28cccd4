"""The real command line, in a folder of its own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_bytes
from typing import Any

import httpx2
import psutil

from tests.servers.process import free_ports

ROOT = Path(__file__).parent.parent.parent
PASSWORD = "tall giraffes eat acacia"


class Gatepost:
    """One deployment: its folder, its environment, its port."""

    def __init__(self, folder: Path, *, warm: "Warm | None" = None, **settings: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST_")}
        self.folder = folder
        self._warm = warm
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            **inherited,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "sdk")]),
            "GATEPOST_SERVER__PORT": str(self.port),
            **{f"GATEPOST_{name}": value for name, value in settings.items()},
        }

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        if self._warm is not None:
            return self._warm.run(arguments, typed=typed, cwd=self.folder, environ=self.environ)
        return self.run_module("service", *arguments, typed=typed)

    def run_module(self, module: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """Run `python -m` to its end."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environ,
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ask(self, *arguments: str, typed: str = "") -> Any:
        """What a command that must succeed prints as JSON."""
        ran = self.run(*arguments, "--json", typed=typed)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def start(self) -> "Serving":
        """Start the server, and wait until it has said that it is ready."""
        return Serving(self)


class Warm:
    """Runs commands in processes that need not load anything first (`warm.py`)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        path = os.pathsep.join([str(ROOT), str(ROOT / "sdk")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.warm"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], *, typed: str, cwd: Path, environ: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """The same as starting `python -m service` with these arguments."""
        streams = [self._folder / name for name in ("stdin", "stdout", "stderr")]
        for stream, text in zip(streams, (typed, "", ""), strict=True):
            stream.write_text(text)
        [code] = self._become([arguments], streams, cwd, environ)
        return subprocess.CompletedProcess(arguments, code, streams[1].read_text(), streams[2].read_text())

    def run_together(self, commands: Sequence[Sequence[str]], *, cwd: Path, environ: Mapping[str, str]) -> list[int]:
        """Start several at once; their exit codes."""
        return self._become(commands, [Path(os.devnull)] * 3, cwd, environ)

    def _become(
        self, commands: Sequence[Sequence[str]], streams: Sequence[Path], cwd: Path, environ: Mapping[str, str]
    ) -> list[int]:
        order = {
            "commands": commands,
            "streams": [str(stream) for stream in streams],
            "cwd": str(cwd),
            "environ": dict(environ),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        codes: list[int] = json.loads(self._process.stdout.readline())
        return codes

    def close(self) -> None:
        """End the process that forks."""
        self._process.communicate()


class Serving:
    """`gatepost serve`, running."""

    def __init__(self, gatepost: Gatepost) -> None:
        self._said = gatepost.folder / f"said.{time.monotonic_ns()}"
        with self._said.open("w") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                cwd=gatepost.folder,
                env=gatepost.environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        wait_for(lambda: "ready on" in self.said or self.process.poll() is not None, within=60)
        assert self.process.poll() is None, self.said
        self.family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        self.client = httpx2.Client(base_url=gatepost.url, timeout=10)

    def __enter__(self) -> "Serving":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.end(signal.SIGTERM)

    @property
    def said(self) -> str:
        """All that it has printed."""
        return self._said.read_text()

    def link(self) -> str | None:
        """The secret of the setup link that it printed."""
        wait_for(lambda: "no administrator" not in self.said or "token=" in self.said)
        found = re.findall(r"/setup\?token=(\S+)", self.said)
        assert len(found) < 2
        return found[0] if found else None

    def sign_in(self, username: str) -> httpx2.Response:
        return self.client.post("/auth/login", json={"username": username, "password": PASSWORD})

    def end(self, how: signal.Signals) -> int:
        """Send this signal to the process that was started, not to its children; its exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def left(self) -> list[psutil.Process]:
        """Those of its processes that are still there after a while."""
        return psutil.wait_procs(self.family, timeout=25)[1]


def wait_for(condition: Callable[[], bool], *, within: float = 20) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def production(**more: str) -> dict[str, str]:
    """Settings that production accepts, once the stores are named."""
    return {
        "MODE": "production",
        "PUBLIC_URL": "https://id.example.com",
        "SECRET_KEY": urlsafe_b64encode(token_bytes(32)).decode(),
        **more,
    }
