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
    (folder / "tests" / "node").mkdir(parents=True)
    (folder / "tests" / "node" / "package-lock.json").write_text("{}")
    (folder / "requirements").mkdir()
    for lock in ("run", "dev"):
        (folder / "requirements" / f"{lock}.txt").write_text("absent==1 ; sys_platform == 'never'\n")
    shutil.copy(ROOT / "run.py", folder)
    return folder


def start(checkout: Path, *arguments: str, path: str = "") -> tuple[list[str], str]:
    """What the program that took over printed, without its process id, and what run.py said on the way."""
    browsing = path_with(checkout.parent / "browsing", node="echo v20.11.0", npm="echo installed", chromium="")
    with subprocess.Popen(
        [sys.executable, checkout / "run.py", *arguments],
        cwd="/",
        env={"PATH": path or browsing, "HOME": str(checkout)},
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


def path_with(folder: Path, *, alone: bool = False, **programs: str) -> str:
    """A PATH with programs of these lines of sh; each notes in `folder/asked` what it was asked. `alone`: no others."""
    folder.mkdir(exist_ok=True)
    for name, lines in programs.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> "{folder}/asked"\n{lines}\n')
        program.chmod(0o755)
    return str(folder) if alone else f"{folder}:{os.defpath}"


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
    assert "making .venv" in start(checkout, path=path_with(tmp_path / "tools", uv="exit 0"))[1]
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
        said = start(checkout, path=path_with(tools, uv=f"exit {ending}"))[1]
        assert outcome in said
        assert ("going on with pip" in said) is bool(ending)
        asked = (tools / "asked").read_text()
        (tools / "asked").unlink()
        assert asked.startswith("uv pip install ")
        assert "--no-deps --require-hashes --only-binary :all:" in asked


def test_testing_brings_the_packages_of_node_once_and_runs_none_of_their_scripts(ready: Path, tmp_path: Path) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    tools = tmp_path / "tools"
    path = path_with(tools, node="echo v20.11.0", npm="pwd; echo added", chromium="")
    words, said = start(checkout, "test", path=path)
    assert words[:2] == ["ran", "pytest"]
    assert "gatepost: installing the packages of tests/node" in said
    assert f"{checkout}/tests/node\nadded" in said
    assert (tools / "asked").read_text() == "node --version\nnpm ci --ignore-scripts --loglevel error\n"
    assert start(checkout, "test", path=path)[1] == ""
    (checkout / "tests" / "node" / "package-lock.json").write_text('{"packages": {}}')
    assert "gatepost: installing the packages of tests/node" in start(checkout, "test", path=path)[1]


def test_serving_asks_for_no_node(ready: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    assert start(ready, path=path_with(tools, node="echo v20.11.0", npm="", chromium=""))[1] == ""
    assert not (tools / "asked").exists()


@pytest.mark.parametrize(
    ("programs", "told"),
    [
        ({"chromium": ""}, "there is no Node.js with npm"),
        ({"chromium": "", "node": "echo v20.11.0"}, "there is no Node.js with npm"),
        (
            {"chromium": "", "npm": "", "node": "echo v18.19.1"},
            "Node.js 20 or newer is needed; this is v18.19.1",
        ),
        (
            {"chromium": "", "npm": "echo no network; exit 1", "node": "echo v22.1.0"},
            "npm could not install the packages of tests/node; what it says is above",
        ),
    ],
)
def test_tests_run_without_node_and_it_is_said_why_some_are_left_out(
    ready: Path, tmp_path: Path, programs: dict[str, str], told: str
) -> None:
    checkout = shutil.copytree(ready, tmp_path / "copy", symlinks=True)
    for _ in range(2):  # what failed once is tried again
        words, said = start(checkout, "test", path=path_with(tmp_path / "tools", alone=True, **programs))
        assert words[:2] == ["ran", "pytest"]
        assert f"gatepost: leaving out the tests that need it: {told}\n" in said


class Chromium:
    """`bring_chromium` of run.py, on a system of our choice that has no Chromium."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch, self.tools = monkeypatch, folder
        self.bring = runpy.run_path(str(ROOT / "run.py"))["bring_chromium"]

    def why_not(self, system: str, user: int, **programs: str) -> str:
        self.patch.setattr("platform.freedesktop_os_release", lambda: {"ID": system})
        self.patch.setattr("os.geteuid", lambda: user)
        self.patch.setenv("PATH", path_with(self.tools, alone=True, **programs))
        self.patch.setenv("DEBIAN_FRONTEND", "")
        why: str = self.bring()
        return why


@pytest.fixture
def chromium_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Chromium:
    return Chromium(monkeypatch, tmp_path / "tools")


def test_root_on_debian_gets_the_chromium_of_debian(chromium_of: Chromium) -> None:
    assert chromium_of.why_not("debian", 0, **{"apt-get": 'echo $DEBIAN_FRONTEND >> "$0.as"'}) == ""
    apt = "apt-get -qq -o Dpkg::Use-Pty=0"
    assert (chromium_of.tools / "asked").read_text().splitlines() == [
        f"{apt} update",
        f"{apt} install --yes --no-install-recommends chromium",
    ]
    assert (chromium_of.tools / "apt-get.as").read_text() == "noninteractive\n" * 2


@pytest.mark.parametrize(("system", "user"), [("debian", 1000), ("ubuntu", 0), ("fedora", 0)])
def test_nobody_else_gets_anything_installed(chromium_of: Chromium, system: str, user: int) -> None:
    why = chromium_of.why_not(system, user, **{"apt-get": ""})
    assert why == "there is no Chromium; only on Debian, as root, it is installed by itself"
    assert not (chromium_of.tools / "asked").exists()


def test_a_failing_apt_ends_nothing(chromium_of: Chromium) -> None:
    why = chromium_of.why_not("debian", 0, **{"apt-get": 'test "$4" = update'})
    assert why == "there is no Chromium, and apt could not install it; what it says is above"


def test_a_chromium_that_is_there_is_enough(chromium_of: Chromium) -> None:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        assert chromium_of.why_not("debian", 0, **{name: "", "apt-get": "exit 1"}) == ""
        (chromium_of.tools / name).unlink()


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
