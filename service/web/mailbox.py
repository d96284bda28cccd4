"""`/mailbox`: the letters of local mode, for who sits at this machine. In production there is no such page."""

import asyncio
import email
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from fastapi import APIRouter, Request, Response

from service.protocol.errors import NotFound
from service.web.pages import Locale, PageRoute, locale_of, page
from service.web.security import public

router = APIRouter(route_class=PageRoute, include_in_schema=False)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as the page shows it; `words` joined are its text, addresses by themselves."""

    subject: str
    to: str
    date: str
    words: list[str]


@router.get("/mailbox", dependencies=[public])
async def show_mailbox(request: Request) -> Response:
    """The latest letters. 404 in production, and for anybody who comes from another machine or through a proxy."""
    folder: Path | None = request.app.state.mail_folder
    if folder is None or not _is_here(request):
        raise NotFound
    letters = await asyncio.to_thread(_latest, folder)
    return mailbox_page(letters, f"{request.app.state.public_url}/", locale=locale_of(request))


def mailbox_page(letters: Sequence[Letter], ours: str, *, locale: Locale) -> Response:
    """The letters; addresses that begin with `ours` can be followed."""
    return page("mailbox.html", locale=locale, letters=letters, ours=ours)


def _latest(folder: Path) -> list[Letter]:
    files = sorted(folder.glob("*.eml"), reverse=True)[:_SHOWN] if folder.is_dir() else []
    return [_read(file) for file in files]


def _is_here(request: Request) -> bool:
    client = request.scope.get("client")
    forwarded = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "via"))
    return client is not None and not forwarded and ip_address(client[0]).is_loopback


def _read(file: Path) -> Letter:
    from email import policy  # local mode alone reads letters

    letter = email.message_from_bytes(file.read_bytes(), policy=policy.default)
    body = letter.get_body(("plain",))
    text = "" if body is None else str(body.get_content())
    return Letter(str(letter["Subject"]), str(letter["To"]), str(letter["Date"]), re.split(r"(https?://\S+)", text))
