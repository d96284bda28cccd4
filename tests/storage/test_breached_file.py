"""The file of breached passwords: found by halving, whatever its line ends, and refused when it cannot serve."""

import random
from collections.abc import Iterable
from hashlib import sha1
from pathlib import Path

import pytest

from service.protocol.errors import StoreUnavailable
from service.storage.breached_file import BreachedFile

pytestmark = pytest.mark.anyio


def digest(password: str) -> str:
    return sha1(password.encode()).hexdigest().upper()


def lines(passwords: Iterable[str], end: str = "\r\n") -> str:
    """As Have I Been Pwned has them: the counts are of any length."""
    return "".join(f"{one}:{10 ** (number % 9)}{end}" for number, one in enumerate(sorted(map(digest, passwords))))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "breached.txt"


@pytest.mark.spec("NIST SP 800-63B-4 §3.1.1.2")
@pytest.mark.parametrize("count", [1, 2, 3, 1000, 5000])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
async def test_every_password_in_it_is_found_and_no_other(file: Path, count: int, end: str) -> None:
    inside = [f"known {number}" for number in range(count)]
    file.write_text(lines(inside, end), newline="")
    breached = BreachedFile(file)
    sought = inside if count <= 1000 else random.Random(5).sample(inside, 200)
    assert [one for one in sought if not await breached.holds(one)] == []
    assert [one for one in sought if await breached.holds(f"{one}?")] == []
    first, last = min(inside, key=digest), max(inside, key=digest)
    assert (await breached.holds(first), await breached.holds(last)) == (True, True)
    breached.close()


async def test_small_letters_no_counts_and_no_last_line_end_are_read_too(file: Path) -> None:
    hashes = sorted(map(digest, ("aa", "bb", "cc")))
    file.write_text("\n".join(hashes).lower())
    breached = BreachedFile(file)
    assert [await breached.holds(one) for one in ("aa", "bb", "cc", "dd")] == [True, True, True, False]
    breached.close()


async def test_a_look_up_reads_a_few_lines_and_not_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(lines(f"known {number}" for number in range(20_000)))
    breached, read = BreachedFile(file), []
    line_at = breached._line_at
    monkeypatch.setattr(breached, "_line_at", lambda at: read.append(at) or line_at(at))  # type: ignore[func-returns-value]  # append says nothing
    assert await breached.holds("known 7")
    assert not await breached.holds("unknown")
    assert len(read) < 60
    breached.close()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("hunter2\npassword\n", "no SHA-1 in hex at byte 0"),
        (lines(["a", "b", "c"]) + "0" * 40 + ":1\r\n", "is not sorted"),
        ("".join(f"{digest(str(number))}:9\n" for number in range(9000)), "is not sorted"),
        (lines(["a"]) + "x" * 300, "no SHA-1"),
    ],
    ids=["empty", "plain words", "one out of order", "in order of their counts", "a long line"],
)
def test_a_file_that_cannot_serve_is_refused_at_the_start(file: Path, content: str, says: str) -> None:
    file.write_text(content, newline="")
    with pytest.raises(ValueError, match=says):
        BreachedFile(file)


def test_a_file_that_is_not_there_is_said_by_its_name(file: Path, tmp_path: Path) -> None:
    for path in (file, tmp_path):
        with pytest.raises(ValueError, match=rf"{path} cannot be read"):
            BreachedFile(path)


async def test_a_file_that_goes_bad_while_it_is_used_lets_no_password_pass(file: Path) -> None:
    file.write_text(lines(["a", "b", "c"]))
    breached = BreachedFile(file)
    file.write_text("x" * 400)
    with pytest.raises(StoreUnavailable):
        await breached.holds("a")
    breached.close()
