"""The image and the compose file, as far as they can be judged without a container engine."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import knobs, load_settings
from tests.servers.gatepost import GatepostServer, settings_for
from tests.servers.process import free_ports

ROOT = Path(__file__).parents[2]
SECRET = "c2l4dGVlbiBieXRlcyB0d2ljZSBvdmVyIHRvIHRoaXMh"


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


def given(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in given("ENV") for pair in line.split())


def health_check() -> list[str]:
    command: list[str] = json.loads(given("HEALTHCHECK")[0].partition("CMD ")[2])
    return command


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return loaded


def test_every_line_of_the_dockerfile_is_an_instruction() -> None:
    known = "FROM RUN COPY WORKDIR ENV USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD"
    assert {word for word, _ in instructions()} <= {*known.split(" ")}
    assert len(given("FROM")) == 2
    assert all(image.startswith("python:3.11-slim") for image in given("FROM"))


def test_what_is_copied_exists_and_is_let_through_to_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored[0] == "*"
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {source for line in given("COPY") if not line.startswith("--from") for source in line.split()[:-1]}
    assert copied == let_through
    assert all((ROOT / source).exists() for source in copied)


def test_packages_are_installed_by_hash_from_the_production_lock() -> None:
    (install,) = [line for line in given("RUN") if "pip install" in line]
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:", "-r requirements/prod.txt"):
        assert option in install
    assert not [line for line in given("RUN") if "apt-get" in line]


def test_it_runs_as_nobody_in_particular_and_in_production() -> None:
    words = [word for word, _ in instructions()]
    uid, gid = map(int, given("USER")[-1].split(":"))
    assert uid >= 10_000
    assert gid >= 10_000
    assert words.index("USER") > max(number for number, word in enumerate(words) if word in ("RUN", "COPY"))
    assert environment()["GATEPOST_MODE"] == "production"


def test_the_image_and_the_compose_file_name_only_settings_that_exist() -> None:
    known = {knob.name for knob in knobs()}
    asked = {name for name in environment() if name.startswith("GATEPOST_")}
    for name in ("gatepost", "migrate"):
        asked |= compose()["services"][name]["environment"].keys()
    assert asked <= known


def test_the_compose_file_makes_a_configuration_that_production_accepts() -> None:
    chosen = {
        "GATEPOST_PUBLIC_URL": "https://id.example.com",
        "GATEPOST_SECRET_KEY": SECRET,
        "POSTGRES_PASSWORD": "pass-word",
    }
    written = compose()["services"]["gatepost"]["environment"]
    filled = {
        name: re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: chosen[found[1]], text) for name, text in written.items()
    }
    settings = load_settings(
        {name: text for name, text in environment().items() if name.startswith("GATEPOST_")} | filled
    )
    assert settings.mode == "production"
    assert settings.server.workers == 2
    assert settings.server.host == "0.0.0.0"
    assert settings.database_url.get_secret_value() == "postgresql+asyncpg://gatepost:pass-word@postgres/gatepost"


def test_the_proxy_alone_is_believed_about_addresses() -> None:
    (network,) = compose()["networks"]["default"]["ipam"]["config"]
    assert compose()["services"]["gatepost"]["environment"]["GATEPOST_SERVER__TRUSTED_PROXIES"] == (
        f"{network['gateway']}/32"
    )


def test_the_services_are_locked_down_and_only_loopback_is_published() -> None:
    services = compose()["services"]
    assert services["gatepost"]["ports"] == ["127.0.0.1:8000:8000", "127.0.0.1:9000:9000"]
    assert "ports" not in services["postgres"]
    assert "ports" not in services["valkey"]
    for name in ("gatepost", "migrate"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]


def test_valkey_is_told_to_keep_everything() -> None:
    command = " ".join(compose()["services"]["valkey"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command


def test_migrations_are_done_before_the_server_starts() -> None:
    services = compose()["services"]
    assert services["gatepost"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert services["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}


def is_healthy(port: int) -> bool:
    command = [sys.executable, *health_check()[1:]]
    ran = subprocess.run(command, env={"GATEPOST_SERVER__PORT": str(port)}, check=False, capture_output=True)
    return ran.returncode == 0


def test_the_health_check_tells_a_living_server_from_a_dead_and_a_frozen_one(
    server_folder: Path, sqlite_url: str, valkey_url: str
) -> None:
    settings = settings_for(sqlite_url, valkey_url, MODE="production", PUBLIC_URL="https://id.example.com")
    server = GatepostServer(server_folder / "healthy", settings)
    assert not is_healthy(free_ports(1)[0])
    server.start()
    try:
        assert is_healthy(server.port)
        server.freeze()
        assert not is_healthy(server.port)
    finally:
        server.kill()
    assert not is_healthy(server.port)


@pytest.mark.parametrize("command", [["serve"], ["db", "upgrade"]])
def test_the_commands_that_containers_run_exist(command: list[str]) -> None:
    assert command in [json.loads(given("CMD")[0]), compose()["services"]["migrate"]["command"]]
    entry = json.loads(given("ENTRYPOINT")[0])
    ran = subprocess.run([sys.executable, *entry[1:], *command, "--help"], cwd=ROOT, check=False, capture_output=True)
    assert ran.returncode == 0, ran.stderr
