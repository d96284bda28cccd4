"""Writing a letter at the moment in which it is sent: only then it is known whom it is about, and its link is made."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from urllib.parse import quote, urlsplit

from service.accounts.account import User, Users
from service.accounts.names import email_key
from service.addresses.letter import Letter, LetterKind
from service.addresses.link import LIVES, LinkDesk, Purpose
from service.mail.message import Message

LANGUAGES = ("en", "ar")
PAGES: Mapping[Purpose, str] = {
    Purpose.RESET: "/reset-password",
    Purpose.REGISTER: "/register/complete",
    Purpose.INVITE: "/register/complete",
    Purpose.VERIFY: "/confirm-email",
    Purpose.CHANGE: "/confirm-email",
}


class LetterWriter:
    """Turns a wish into a message. Links lead to `public_url` and nowhere else, whatever a request said."""

    def __init__(self, users: Users, links: LinkDesk, *, public_url: str) -> None:
        self._users = users
        self._links = links
        self._public_url = public_url

    async def write(self, letter: Letter, *, now: datetime) -> Message | None:
        """The message; None when there is nothing to say: nobody has the address, or a link went there just now.

        Raises `StoreUnavailable`.
        """
        owner = await self._users.find_by_login(email_key(letter.address))
        match letter.kind:
            case LetterKind.CHANGED | LetterKind.PASSWORD_CHANGED:
                about = None if letter.user_id is None else await self._users.find(letter.user_id)
                return None if about is None else self._message(letter, letter.kind, username=about.username)
            case LetterKind.RESET:
                if owner is None or not owner.active:
                    return None
                return await self._with_link(letter, Purpose.RESET, now, user=owner, username=owner.username)
            case LetterKind.REGISTER | LetterKind.INVITE:
                if owner is not None:
                    return self._known(letter, owner)
                return await self._with_link(letter, Purpose(letter.kind), now)
            case LetterKind.VERIFY:
                if owner is None or owner.id != letter.user_id or owner.email_verified_at is not None:
                    return None
                return await self._with_link(letter, Purpose.VERIFY, now, user=owner, username=owner.username)
            case LetterKind.CHANGE:
                return await self._change(letter, owner, now)

    async def _change(self, letter: Letter, owner: User | None, now: datetime) -> Message | None:
        """To a new address. Whoever has an account with it learns that somebody tried; nobody else does."""
        user = None if letter.user_id is None else await self._users.find(letter.user_id)
        if user is None or not user.active:
            return None
        if owner is not None and owner.id != user.id:
            return self._known(letter, owner)
        return await self._with_link(letter, Purpose.CHANGE, now, user=user, username=user.username)

    async def _with_link(
        self, letter: Letter, purpose: Purpose, now: datetime, *, user: User | None = None, **values: str
    ) -> Message | None:
        secret = await self._links.make(purpose, letter.address, user=user, about=letter.about, now=now)
        if secret is None:
            return None
        link = f"{self._public_url}{PAGES[purpose]}?token={quote(secret)}"
        return self._message(letter, letter.kind, link=link, hours=str(LIVES[purpose] // timedelta(hours=1)), **values)

    def _known(self, letter: Letter, owner: User) -> Message:
        """To somebody whose address another wanted to use."""
        return self._message(letter, "known", username=owner.username, reset=f"{self._public_url}/forgot-password")

    def _message(self, letter: Letter, name: str, **values: str) -> Message:
        language = letter.locale if letter.locale in LANGUAGES else "en"
        texts = catalogue(language)
        shown = {"service": urlsplit(self._public_url).netloc, "address": letter.address, **values}
        subject = texts[f"{name}.subject"].format(**shown)
        paragraphs = [texts[f"{name}.text"], texts["closing"]]
        text = "\n\n".join(paragraph.format(**shown) for paragraph in paragraphs) + "\n"
        return Message(letter.id, letter.address, subject, text, language)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The texts of a language. Raises `FileNotFoundError` for one that we do not write."""
    source = files("service.mail") / "catalogue" / f"{language}.json"
    return MappingProxyType(json.loads(source.read_text("utf-8")))
