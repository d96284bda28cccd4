"""`gatepost serve`: from an empty folder to an administrator, and to an end that leaves nothing behind."""

import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import PASSWORD, Gatepost, is_free, production
from tests.servers.gatepost import settings_for
from tests.servers.process import free_ports
from tests.servers.valkey import ValkeyServer


def test_the_first_start_makes_an_administrator_once_and_the_second_knows_him(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path)
    with gatepost.start() as serving:
        for name, mode in {"var": 0o700, "var/secret.key": 0o600, "var/gatepost.db": 0o600}.items():
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
        link = serving.link()
        assert link is not None
        assert serving.client.get("/docs").status_code == 200
        assert serving.sign_in("ada").status_code == 401
        form = {"token": link, "username": "ada", "password": PASSWORD, "password_again": PASSWORD}
        assert serving.client.post("/setup", data=form).status_code == 303
        assert serving.client.post("/setup", data={**form, "username": "eve"}).status_code == 410
        assert serving.sign_in("ada").status_code == 200
    with gatepost.start() as serving:
        assert serving.link() is None
        token = serving.sign_in("ada").json()["access_token"]
        users = serving.client.get("/admin/users", headers={"Authorization": f"Bearer {token}"}).json()["items"]
        assert [user["username"] for user in users] == ["ada"]


@pytest.mark.parametrize(("workers", "how"), [("1", signal.SIGINT), ("2", signal.SIGTERM)])
def test_it_ends_in_good_order_and_leaves_no_process(tmp_path: Path, workers: str, how: signal.Signals) -> None:
    gatepost = Gatepost(tmp_path, SERVER__WORKERS=workers)
    serving = gatepost.start()
    assert len(serving.family) == {"1": 2, "2": 5}[workers]  # with Valkey, and multiprocessing's own tracker
    assert serving.end(how) == 0
    assert serving.left() == []
    assert is_free(gatepost.port)
    assert not (tmp_path / "var" / "valkey.url").exists()
    assert "Traceback" not in serving.said


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_it_takes_its_workers_and_valkey_along_and_starts_again(
    tmp_path: Path, server_folder: Path, workers: str
) -> None:
    gatepost, temporary = Gatepost(tmp_path, SERVER__WORKERS=workers), server_folder / f"t{workers}"
    temporary.mkdir()  # a path short enough for a socket
    gatepost.environ["TMPDIR"] = str(temporary)
    serving = gatepost.start()
    serving.end(signal.SIGKILL)
    assert serving.left() == []
    assert is_free(gatepost.port)
    assert len(list(temporary.iterdir())) == 1, "what was killed cannot tidy up"
    assert gatepost.ask("users", "list") == []
    assert list(temporary.iterdir()) == []


def test_a_port_in_use_is_told_in_plain_words(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path)
    with socket.create_server(("127.0.0.1", gatepost.port)):
        ran = gatepost.run("serve")
    assert ran.returncode == 5
    assert f"cannot listen on 127.0.0.1 port {gatepost.port} (Address already in use)" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "var").exists()


def test_a_management_port_in_use_is_told_as_such(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    with socket.create_server(("127.0.0.1", port)):
        ran = Gatepost(tmp_path, SERVER__MANAGEMENT_PORT=str(port)).run("serve")
    assert ran.returncode == 5
    assert f"cannot listen on 127.0.0.1 port {port} (Address already in use)" in ran.stderr
    assert "GATEPOST_SERVER__MANAGEMENT_HOST and GATEPOST_SERVER__MANAGEMENT_PORT" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_folder_that_cannot_be_used_is_told_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ran = Gatepost(tmp_path, VAR="file/var").run("serve")
    assert ran.returncode == 5
    assert "Not a directory" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_production_refuses_an_evicting_redis_together_with_all_else(
    tmp_path: Path, own_valkey: ValkeyServer, empty_sqlite_url: str
) -> None:
    settings = production(DATABASE_URL=empty_sqlite_url, REDIS_URL=own_valkey.url, PUBLIC_URL="http://id.example.com")
    gatepost = Gatepost(tmp_path, **settings, SERVER__WORKERS="2", SERVER__CORS_ORIGINS="*")
    with own_valkey.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    for command in (["serve"], ["config", "check"]):
        ran = gatepost.run(*command)
        assert ran.returncode == 4
        named = [line.split(":")[0].strip() for line in ran.stderr.splitlines()[1:]]
        assert sorted(named) == [
            "GATEPOST_DATABASE_URL",
            "GATEPOST_PUBLIC_URL",
            "GATEPOST_REDIS_URL",
            "GATEPOST_SERVER__CORS_ORIGINS",
        ]
        assert "allkeys-lru" in ran.stderr


def test_production_waits_for_the_operator_to_migrate_and_brings_nothing_along(
    tmp_path: Path, valkey_url: str, empty_sqlite_url: str
) -> None:
    gatepost = Gatepost(tmp_path, **production(DATABASE_URL=empty_sqlite_url, REDIS_URL=valkey_url), LOG__FORM="json")
    ran = gatepost.run("serve")
    assert (ran.returncode, "run `gatepost db upgrade` first" in ran.stderr) == (5, True)
    assert gatepost.run("db", "status").returncode == 1
    assert gatepost.run("db", "upgrade").returncode == 0
    with gatepost.start() as serving:
        assert serving.client.get("/readyz").json() == {"status": "ready", "sql": True, "redis": True, "keys": True}
        assert len(serving.family) == 1
    assert not (tmp_path / "var").exists()


def test_it_starts_while_the_stores_are_away(tmp_path: Path) -> None:
    away = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    with Gatepost(tmp_path, **production(**away)).start() as serving:
        assert serving.client.get("/livez").status_code == 200
        assert serving.client.get("/readyz").status_code == 503
        assert "starting without it" in serving.said


def test_a_worker_alone_says_what_it_lacks(tmp_path: Path) -> None:
    ran = Gatepost(tmp_path).run_module("uvicorn", "service.main:app")
    assert ran.returncode != 0
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        assert f"GATEPOST_{name}: is missing; `gatepost serve` sets it" in ran.stderr


_LOADED = """
import sys
import service.cli.serve, service.cli.http_protocol
import service.main
print(*sorted({"rich", "typer", "pydantic.v1", "httpx2", "aiosmtplib", "zxcvbn", "alembic"} & sys.modules.keys()))
"""


def test_a_worker_keeps_in_memory_no_library_that_it_may_never_need(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path)
    environ = {**gatepost.environ, **settings_for("sqlite:///never-opened.db", "redis://127.0.0.1:1/0")}
    ran = subprocess.run([sys.executable, "-c", _LOADED], env=environ, capture_output=True, text=True, check=True)
    assert ran.stdout == "\n"


@pytest.mark.spec("TIM-04")
def test_neither_the_list_of_processes_nor_a_page_for_everybody_shows_a_secret(tmp_path: Path) -> None:
    gatepost = Gatepost(tmp_path, SERVER__WORKERS="2")
    with gatepost.start() as serving:
        secrets = {(tmp_path / "var" / "secret.key").read_text().strip(), serving.link() or ""}
        assert all(len(secret) > 20 for secret in secrets)
        shown = [" ".join(process.cmdline()) for process in serving.family]
        assert any("service" in line for line in shown)
        for path in ("docs", "openapi.json", "metrics", "env", "environ", "debug", "info", ".env", "readyz", "livez"):
            answer = serving.client.get(f"/{path}")
            shown.append(f"{answer.headers} {answer.text}")
        assert not [text for text in shown for secret in secrets if secret in text]
