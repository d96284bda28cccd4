"""A server process that a test may freeze, kill and start again, and that dies with pytest."""

import atexit
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

# Becomes the server, as another user when asked, after binding its life to ours (PR_SET_PDEATHSIG; SIGKILL because a
# frozen process acts on nothing else). The change of user comes first: it would clear the binding.
_LAUNCHER = f"""
import ctypes, os, sys
parent, uid, gid = map(int, sys.argv[1:4])
library = ctypes.CDLL(None)
if uid != os.getuid():
    os.setgroups([]); os.setgid(gid); os.setuid(uid)
if sys.platform == "linux":
    library.prctl(1, {signal.SIGKILL:d})
    if os.getppid() != parent:
        sys.exit("pytest is gone")
os.execv(sys.argv[4], sys.argv[4:])
"""

STARTS_WITHIN = 30.0


class ServerProcess:
    """One server that can be started any number of times; its output goes to `log`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        is_ready: Callable[[], bool],
        owner: pwd.struct_passwd | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._folder = folder
        self._is_ready = is_ready
        self._owner = owner
        self._environ = environ
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it is ready. Raises `RuntimeError` with its log when it ends or takes 30 s."""
        assert self._process is None, "the server is running already"
        assert threading.current_thread() is threading.main_thread(), "it would die with this thread"
        uid, gid = (self._owner.pw_uid, self._owner.pw_gid) if self._owner else (os.getuid(), os.getgid())
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, (os.getpid(), uid, gid))]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*launcher, *self._command],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTS_WITHIN
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self._command[0]} did not start:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.01)

    def freeze(self) -> None:
        """Stop it from answering; connections stay open and time out (SIGSTOP, to its children too)."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `freeze`."""
        self._signal_all(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once and without warning, frozen or not, as a crash would. Harmless when it does not run."""
        self._end(signal.SIGKILL)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it in good order. Harmless when it does not run."""
        self._end(how)

    def set_environ(self, **changed: str) -> None:
        """What it is told beside the rest when it is started again."""
        self._environ = {**(self._environ or {}), **changed}

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        family = self._family()
        if how is not signal.SIGKILL:
            self._signal_all(signal.SIGCONT)
        self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in psutil.wait_procs(family, timeout=1)[1]:
            _signal(child, signal.SIGKILL)
        self._process = None

    def _family(self) -> list[psutil.Process]:
        """Its children, which PostgreSQL has and which a signal to the server alone does not reach."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def _signal_all(self, number: signal.Signals) -> None:
        _signal(psutil.Process(self.pid), number)
        for child in self._family():  # looked for afterwards: a server that stands still has no more children
            _signal(child, number)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    """Send it, unless the process has ended: children come and go."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now, all different. Held only while choosing."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def fast_parent() -> Path:
    """Where temporary files go: in memory where there is room, as a disk that is busy makes a store look away."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1 << 30
    return memory if roomy else Path(tempfile.gettempdir())


def fast_folder() -> Path:
    """A new short-named folder, in memory where there is room; removed at exit."""
    return scratch_folder(fast_parent())


def scratch_folder(parent: Path) -> Path:
    """A new folder that any user may pass through; removed at exit. Sweeps those of test runs that were killed."""
    for old in parent.glob("gatepost-tests-*"):
        if not psutil.pid_exists(int(old.name.split("-")[2])):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"gatepost-tests-{os.getpid()}-", dir=parent))
    folder.chmod(0o711)  # PostgreSQL refuses root, and so runs as somebody else
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
