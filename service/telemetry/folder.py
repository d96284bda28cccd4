"""The folder in which workers lay their figures together. A worker that is started anew goes on where the one before
ended, so counters never go back, and the folder does not grow with restarts."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BEGINNING = "gatepost-metrics-"
_HELD, _TURN = "held", "turn"
_FIGURES = re.compile(r"(counter|gauge_[a-z]+|histogram|summary)_[0-9]+\.db")  # as prometheus_client names them
_ROOM = 32 * 1024 * 1024
"""Free bytes that a place must have: a worker is killed when what it writes into a mapped file finds none."""


class NoFolder(Exception):
    """There is no place for such a folder."""


class ForeignFile(Exception):
    """What the operator's folder holds would be read as figures, and is something else: its name."""


class Folder:
    """Places in the folder at `path`, one for each process that lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own: int | None = None

    @classmethod
    def handed_down(cls) -> Self | None:
        """The folder that the server has made for its workers, if it has."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    def take_place(self) -> int:
        """The lowest number that no other living process has, for as long as this process lives. Levels of who had it
        before are gone; counts stay."""
        with self._turn():
            number = 0
            while (held := _lock(self.path / f"{number}.place")) is None:
                number += 1
            self._own = held  # until the process ends, however it ends
            self._forget_levels(number)
        return number

    def forget_dead(self) -> None:
        """Have the levels of processes that have ended count no more; their counts stay."""
        with self._turn():
            for place in self.path.glob("*.place"):
                held = _lock(place)
                if held is not None:
                    self._forget_levels(int(place.stem))
                    os.close(held)

    def _forget_levels(self, number: int) -> None:
        for file in self.path.glob(f"gauge_*_{number}.db"):
            file.unlink(missing_ok=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        turn = os.open(self.path / _TURN, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            yield
        finally:
            os.close(turn)


@contextmanager
def made_folder() -> Iterator[None]:
    """An empty folder for the workers that are started in this block, in memory where there is such a place; what a
    server that was killed has left behind goes with it. Raises `NoFolder`, `ForeignFile`."""
    if os.environ.get(VARIABLE):
        with _emptied(Path(os.environ[VARIABLE])):
            yield
        return
    parent = _parent()
    for left in parent.glob(f"{_BEGINNING}*"):
        _remove_if_left(left)
    fresh = Path(tempfile.mkdtemp(prefix=".gatepost-", dir=parent))
    held = _lock(fresh / _HELD)  # before it has the name by which another server could take it for left behind
    path = fresh.rename(parent / f"{_BEGINNING}{fresh.name.removeprefix('.gatepost-')}")
    os.environ[VARIABLE] = str(path)
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        shutil.rmtree(path, ignore_errors=True)
        if held is not None:
            os.close(held)


def _parent() -> Path:
    for place in (Path("/dev/shm"), Path(tempfile.gettempdir())):  # noqa: S108 - a folder of our own is made in it
        if place.is_dir() and os.access(place, os.W_OK) and shutil.disk_usage(place).free > _ROOM:
            return place
    raise NoFolder


@contextmanager
def _emptied(path: Path) -> Iterator[None]:
    """The folder of an operator, who may want to keep it, and may have more in it: a database has the same ending."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = sorted(path.glob("*.db"))
        for file in found:
            if not _FIGURES.fullmatch(file.name):
                raise ForeignFile(file.name)
        for file in found:
            file.unlink()
    except OSError as problem:
        raise NoFolder from problem
    yield


def _remove_if_left(path: Path) -> None:
    """Everybody may write where it lies: what another user has laid out there is neither followed nor added to."""
    try:
        if path.lstat().st_uid != os.geteuid():
            return
        held = _lock(path / _HELD, os.O_NOFOLLOW)
    except OSError:  # gone already, or none of ours
        return
    if held is not None:
        shutil.rmtree(path, ignore_errors=True)
        os.close(held)


def _lock(file: Path, how: int = os.O_CREAT) -> int | None:
    """The file, locked for as long as it is open; None when somebody else has it."""
    found = os.open(file, os.O_RDWR | how, 0o600)
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(found)
        return None
    return found
