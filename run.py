#!/usr/bin/env python3
"""Set Gatepost up in `.venv`, then run it. Needs Python 3.11 or newer and nothing else.

    python3 run.py              serve on http://localhost:8000
    python3 run.py test [...]   run the test suite; what follows goes to pytest
    python3 run.py <command>    any other `gatepost` command, such as `python3 run.py users --help`

Packages come exactly as locked, by hash, in `requirements/`. Only the first start takes time. The tests of pages
also want Node 20, npm and Chromium. Where these are missing, those tests are left out, and it is said why.
"""

import fcntl
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "gatepost.lock"
NODE = ROOT / "tests" / "node"
NODE_STAMP = NODE / "node_modules" / "gatepost.lock"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadscope"]


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"Gatepost needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")
    arguments = sys.argv[1:] or ["serve"]
    testing = arguments[0] == "test"
    prepare("dev" if testing else "run")
    if testing:
        prepare_browser()
    command = [*PYTEST, *arguments[1:]] if testing else ["-m", "service", *arguments]
    os.chdir(ROOT)
    # The server takes this process over: Ctrl-C and kill reach it directly, and nothing is left behind.
    os.execv(PYTHON, [str(PYTHON), *command])


def prepare(wanted: str) -> None:
    """Bring `.venv` to the state of the lock. A second run.py that starts meanwhile waits here."""
    folder = os.open(ROOT, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    stamp = STAMP.read_text() if STAMP.exists() and PYTHON.exists() else ""
    if stamp in (stamp_of("dev"), stamp_of(wanted)):
        return
    lock = ROOT / "requirements" / ("dev.txt" if stamp.startswith("dev") else f"{wanted}.txt")
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists() or (stamp and not stamp.endswith(interpreter())):
        say("making .venv")
        make_venv()
    say(f"installing {sum('==' in line for line in lock.read_text().splitlines())} packages from {lock.name}")
    install(lock)
    write_paths()
    STAMP.write_text(stamp_of(lock.stem))
    say("ready")


def stamp_of(name: str) -> str:
    lock = ROOT / "requirements" / f"{name}.txt"
    return f"{name} {hashlib.sha256(lock.read_bytes()).hexdigest()} {interpreter()}"


def interpreter() -> str:
    """Where `.venv` has its Python from: after an upgrade of the system it is another one, without our packages."""
    return str(PYTHON.resolve())


def make_venv() -> None:
    # Debian keeps ensurepip in a package of its own, and ends the program when it is asked for; `install` does without.
    with_pip = shutil.which("uv") is None and importlib.util.find_spec("ensurepip") is not None
    venv.create(VENV, with_pip=with_pip, symlinks=True, clear=True)


def install(lock: Path) -> None:
    exact = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
    uv = shutil.which("uv")
    if uv and succeeds(uv, "pip", "install", "-q", "--python", str(PYTHON), *exact):
        return
    if uv:
        say("uv could not; going on with pip")
    if succeeds(str(PYTHON), "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('pip') is None)"):
        pip = [str(PYTHON), "-m", "pip"]
    elif importlib.util.find_spec("pip"):
        pip = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    else:
        sys.exit("This Python has neither ensurepip nor pip: install your system's python3-venv, or uv, and try again.")
    if not succeeds(*pip, "install", "-q", "--disable-pip-version-check", "--no-input", *exact):
        sys.exit("The packages could not be installed; what pip says is above. Run this again when that is mended.")


def write_paths() -> None:
    """Make `service` and `gatepost` importable and `.venv/bin/gatepost` a command, without building anything."""
    (site,) = VENV.glob("lib/python3*/site-packages")
    (site / "gatepost.pth").write_text(f"{ROOT}\n{ROOT / 'sdk'}\n")
    command = VENV / "bin" / "gatepost"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -m service "$@"\n')
    command.chmod(0o755)


def prepare_browser() -> None:
    """Bring what tests want beside Python. Nothing here ends the run: a test that lacks something is skipped."""
    for why in (bring_node_packages(), bring_chromium()):
        if why:
            say(f"leaving out the tests that need it: {why}")


def bring_node_packages() -> str:
    """Bring `tests/node/node_modules` to the state of its lock; why not, when that cannot be."""
    lock = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return "there is no Node.js with npm"
    told = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    if int(told.lstrip("v").partition(".")[0] or 0) < 20:
        return f"Node.js 20 or newer is needed; this is {told}"
    if NODE_STAMP.exists() and NODE_STAMP.read_text() == lock:
        return ""
    say("installing the packages of tests/node")
    if not succeeds("npm", "ci", "--ignore-scripts", "--loglevel", "error", folder=NODE):
        return "npm could not install the packages of tests/node; what it says is above"
    NODE_STAMP.parent.mkdir(exist_ok=True)
    NODE_STAMP.write_text(lock)
    return ""


def bring_chromium() -> str:
    """Have a Chromium: the system's, else on Debian its package; why not, when that cannot be."""
    if any(map(shutil.which, CHROMIUM)):
        return ""
    try:
        system = platform.freedesktop_os_release()["ID"]
    except OSError:
        system = sys.platform
    if system != "debian" or os.geteuid() != 0:
        return "there is no Chromium; only on Debian, as root, it is installed by itself"
    say("installing Debian's chromium")
    apt = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    if not succeeds(*apt, "update") or not succeeds(*apt, "install", "--yes", "--no-install-recommends", "chromium"):
        return "there is no Chromium, and apt could not install it; what it says is above"
    return ""


def succeeds(*command: str, folder: Path | None = None) -> bool:
    """Run a program that speaks on stderr alone: stdout is for whoever is started in the end."""
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0


def say(text: str) -> None:
    print(f"gatepost: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
