"""Breached passwords in a file as Have I Been Pwned gives it away: SHA-1 in hex, a colon, a count; ordered by hash.

Tens of gigabytes, so it is never read as a whole: a look-up halves it some forty times, in a thread.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from hashlib import sha1
from pathlib import Path

from service.protocol.errors import StoreUnavailable

_STORE = "breached passwords"
_LINE = re.compile(rb"([0-9A-Fa-f]{40})(?::\d+)?\r?\n?")
_LONGEST_LINE = 128
_PROBES = 2048


class BreachedFile:
    """Keeps `BreachedPasswords`. The file stays open: one that is replaced beside it is taken up at the next start."""

    def __init__(self, path: Path) -> None:
        """Raises `ValueError` for a file that cannot be read, or that does not look sorted by hash."""
        try:
            self._file = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        try:
            self._size = os.fstat(self._file).st_size
            self._check_sorted(path)
        except OSError as error:
            self.close()
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        except ValueError:
            self.close()
            raise

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    async def holds(self, password: str) -> bool:
        """See `BreachedPasswords.holds`. SHA-1 is how the list is written; it protects nothing here."""
        sought = sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
        try:
            return await asyncio.to_thread(self._find, sought)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(_STORE, detail=f"{type(error).__name__}: {error}") from error

    def _find(self, sought: bytes) -> bool:
        """Whether a line begins with this hash. The line that is sought begins at `low` or later, before `high`."""
        low, high = 0, self._size
        while low < high:
            middle = (low + high) // 2
            start, found, end = self._line_at(middle)
            if found == sought:
                return True
            if found < sought:
                low = end
            else:
                high = start
        return False

    def _line_at(self, position: int) -> tuple[int, bytes, int]:
        """The line over this byte: where it begins, its hash, where the next one begins. Raises `ValueError`."""
        before = max(0, position - _LONGEST_LINE)
        around = os.pread(self._file, 2 * _LONGEST_LINE, before)
        at = position - before
        start = around.rfind(b"\n", 0, at) + 1
        end = around.find(b"\n", at) + 1 or len(around)
        line = _LINE.fullmatch(around[start:end])
        if line is None:
            raise ValueError(f"there is no SHA-1 in hex at byte {before + start}")
        return before + start, line[1].upper(), before + end

    def _check_sorted(self, path: Path) -> None:
        """Look at lines all over the file; at every one of a small file."""
        last = b""
        for start, found in self._probes():
            if found < last:
                raise ValueError(f"{path} is not sorted: the hash at byte {start} is smaller than one before it")
            last = found
        if not last:
            raise ValueError(f"{path} is empty")

    def _probes(self) -> Iterator[tuple[int, bytes]]:
        step, end = self._size // _PROBES, 0
        while end < self._size:
            start, found, end = self._line_at(end)
            yield start, found
            end = max(end, self._line_at(min(start + step, self._size - 1))[0])
