"""Letters as files, for a machine without a mail server."""

import stat
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from service.mail import Message
from service.outgoing.mail_folder import KEPT, MailFolder

pytestmark = pytest.mark.anyio


async def test_a_letter_is_a_file_that_this_user_alone_can_read(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path / "mail", sender="Gatepost <no-reply@id.example>")
    assert folder.latest() == []
    await folder.send(Message("1", "ada@example.org", "Für dich", "Grüße\n", "de"))
    (file,) = folder.latest()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    letter = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (letter["To"], letter["Subject"], letter["Content-Language"]) == ("ada@example.org", "Für dich", "de")
    assert letter.get_body().get_content() == "Grüße\n"  # type: ignore[union-attr]  # it has one


async def test_the_latest_hundred_are_kept_newest_first(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path, sender="no-reply@id.example")
    for number in range(KEPT + 3):
        await folder.send(Message(str(number), "ada@example.org", f"Letter {number}", "text"))
    files = folder.latest()
    assert len(files) == KEPT
    assert b"Letter 102" in files[0].read_bytes()
    assert b"Letter 3\n" in files[-1].read_bytes()


async def test_a_line_break_in_a_field_is_an_error_and_no_second_field(tmp_path: Path) -> None:
    folder = MailFolder(tmp_path, sender="no-reply@id.example")
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        await folder.send(Message("1", "ada@example.org\r\nBcc: eve@example.org", "Hello", "text"))
    assert folder.latest() == []
