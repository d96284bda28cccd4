"""`run.py`, the one command of a new user: on a checkout whose lock is empty, so that nothing is fetched."""

import ast
import fcntl
import os
import re
import runpy
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Stands where the server and pytest stand, and tells how it was started.
ECHO = "import os, sys; print('ran', __package__ or 'pytest', *sys.argv[1:], os.getpid(), os.getcwd(), sep='\\n')"


def make_checkout(folder: Path) -> Path:
    for file in ("service/__init__.py", "sdk/gatepost/__init__.py"):
        (folder / file).parent.mkdir(parents=True)
        (folder / file).touch()
    (folder / "service" / "__main__.py").write_text(ECHO)
    (folder / "pytest.py").write_text(ECHO)
    (folder / "requirements").mkdir()
    for lock in ("run", "dev"):
        (folder / "requirements" / f"{lock}.txt").write_text("absent==1 ; sys_platform == 'never'\n")
    shutil.copy(ROOT / "run.py", folder)
    return folder


def start(checkout: Path, *arguments: str, path: str = os.defpath) -> tuple[list[str], str]:
    """What the program that took over printed, without its process id, and what run.py said on the way."""
    with subprocess.Popen(
        [sys.executable, checkout / "run.py", *arguments],
        cwd="/",
        env={"PATH": path, "HOME": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        printed, said = process.communicate(timeout=100)
    assert process.returncode == 0, said
    *words, pid, folder = printed.splitlines()
    assert int(pid) == process.pid, "another process runs: Ctrl-C and kill would miss it"
    assert folder == str(checkout)
    return words, said


def path_with_uv(folder: Path, *, ending: int) -> str:
    """A PATH on which a `uv` notes in `folder/asked` what it was asked, and ends so."""
    folder.mkdir(exist_ok=True)
    uv = folder / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" > "{folder}/asked"\nexit {ending}\n')
    uv.chmod(0o755)
    return f"{folder}:{os.defpath}"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout that was started once."""
    checkout = make_checkout(tmp_path_factory.mktemp("checkout with a space"))
    words, said = start(checkout)
    assert words == ["ran", "service", "serve"]
    assert [line for line in said.splitlines() if line.startswith("gatepost:")] == [
        "gatepost: making .venv",
        "gatepost: installing 1 packages from run.txt",
        "gatepost: ready",
    ]
    return checkout


def test_the_second_start_does_nothing_first(ready: Path) -> None:
    assert start(ready) == (["ran", "service", "serve"], "")


def test_other_words_go_to_the_command_line(ready: Path) -> None:
    assert start(ready, "users", "create", "ada") == (["ran", "service", "users", "create", "ada"], "")


def test_service_and_kit_are_importable_from_anywhere_and_gatepost_is_a_command(ready: Path) -> None:
    python, command = ready / ".venv" / "bin" / "python", ready / ".venv" / "bin" / "gatepost"
    imports = "import service, gatepost; print(service.__file__, gatepost.__file__, sep='\\n')"
    found = subprocess.run([python, "-I", "-c", imports], cwd="/", stdout=subprocess.PIPE, text=True, check=True).stdout
    assert found.splitlines() == [str(ready / "service/__init__.py"), str(ready / "sdk/gatepost/__init__.py")]
    told = subprocess.run(
        [command, "keys", "list"], cwd="/", env={}, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    assert told.splitlines()[:4] == ["ran", "service", "keys", "list"]


def test_testing_installs_more_and_serving_never_takes_it_back(ready: Path, tmp_path: Path) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    words, said = start(checkout, "test", "tests/sdk", "-k", "scope")
    assert words == ["ran", "pytest", "-n", "2", "--dist", "loadscope", "tests/sdk", "-k", "scope"]
    assert "from dev.txt" in said
    assert start(checkout)[1] == ""

    lock = checkout / "requirements" / "dev.txt"
    lock.write_text(lock.read_text() + "other==1 ; sys_platform == 'never'\n")
    assert "installing 2 packages from dev.txt" in start(checkout)[1]
    assert start(checkout, "test")[1] == ""


def test_a_venv_of_another_python_is_made_anew(ready: Path, tmp_path: Path) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    stamp = checkout / ".venv" / "gatepost.lock"
    stamp.write_text(re.sub(r"\S+$", "/usr/bin/python3.8", stamp.read_text()))
    left = checkout / ".venv" / "left"
    left.touch()
    assert "making .venv" in start(checkout, path=path_with_uv(tmp_path / "tools", ending=0))[1]
    assert not left.exists()


def test_an_unfinished_installation_is_finished_next_time(ready: Path, tmp_path: Path) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    lock = checkout / "requirements" / "run.txt"
    good = lock.read_text()
    lock.write_text("absent @ file:///nowhere/absent-1-py3-none-any.whl --hash=sha256:" + "0" * 64 + "\n")
    failed = subprocess.run(
        [sys.executable, checkout / "run.py"], env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1].startswith("The packages could not be installed")
    lock.write_text(good)
    assert "gatepost: ready" in start(checkout)[1]


def test_uv_is_used_where_it_is_and_not_needed_where_it_fails(ready: Path, tmp_path: Path) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    tools = tmp_path / "tools"
    for ending, outcome in ((0, "gatepost: ready"), (2, "gatepost: uv could not; going on with pip")):
        (checkout / ".venv" / "gatepost.lock").unlink()
        said = start(checkout, path=path_with_uv(tools, ending=ending))[1]
        assert outcome in said
        assert ("going on with pip" in said) is bool(ending)
        asked = (tools / "asked").read_text()
        assert asked.startswith("pip install ")
        assert "--no-deps --require-hashes --only-binary :all:" in asked


def test_a_second_start_waits_for_the_first_to_finish_installing(ready: Path) -> None:
    folder = os.open(ready, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    waiting = subprocess.Popen(
        [sys.executable, ready / "run.py"], env={"PATH": os.defpath}, stdout=subprocess.PIPE, text=True
    )
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    os.close(folder)
    began = time.monotonic()
    assert waiting.communicate(timeout=30)[0].splitlines()[:3] == ["ran", "service", "serve"]
    assert time.monotonic() - began < 20


def test_an_older_python_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    program = runpy.run_path(str(ROOT / "run.py"))
    monkeypatch.setattr(sys, "version_info", (3, 10, 9, "final", 0))
    with pytest.raises(SystemExit, match=r"Gatepost needs Python 3\.11 or newer; this is "):
        program["main"]()


def test_an_older_python_can_read_the_program_at_all() -> None:
    ast.parse((ROOT / "run.py").read_text(), feature_version=(3, 7))
