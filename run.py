#!/usr/bin/env python3
"""Set Gatepost up in `.venv`, then run it. Needs Python 3.11 or newer and nothing else.

    python3 run.py              serve on http://localhost:8000
    python3 run.py test [...]   run the test suite; what follows goes to pytest
    python3 run.py <command>    any other `gatepost` command, such as `python3 run.py users --help`

Packages come exactly as locked, by hash, in `requirements/`. Only the first start takes time.
"""

import fcntl
import hashlib
import importlib.util
import os
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
PYTEST = ["-m", "pytest", "-n", "2", "--dist", "loadscope"]


def main() -> None:
    if sys.version_info < (3, 11):
        sys.exit(f"Gatepost needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")
    arguments = sys.argv[1:] or ["serve"]
    testing = arguments[0] == "test"
    prepare("dev" if testing else "run")
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


def succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False).returncode == 0


def say(text: str) -> None:
    print(f"gatepost: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
