"""`/oauth2/token` and `/oauth2/device_authorization`: a form in, a document out (RFC 6749 §3.2, RFC 8628 §3.1)."""

import re
from datetime import datetime
from typing import Protocol

from starlette.types import Scope

from service import clock
from service.clients.authentication import Sender
from service.clients.metadata import CLIENT_CREDENTIALS
from service.pending import Pending
from service.protocol.form import Form
from service.sessions.refresh_token import PREFIX, SIZE
from service.web.edge import Rendered
from service.web.oauth.form_body import JsonAnswers, SenderOf, parse_body
from service.web.oauth.recurring import RecurringRequests
from service.web.security import Gate

_RECURS = CLIENT_CREDENTIALS.encode()
"""What is in a form that may come again as it is."""

_REFRESH_TOKEN = re.compile(rb"refresh_token=(%b[A-Za-z0-9_-]{%d})" % (PREFIX.encode(), SIZE - len(PREFIX)))
"""What is in a form that may come again with another refresh token. However a form is read, such a text is the same:
with another in its place the form says the same of all else."""


class Prepared(Protocol):
    """What answers one request now and whenever it comes again."""

    def answer(self, refresh_token: str, sender: Sender, *, now: datetime) -> bytes | Pending[bytes] | None:
        """The body of an answer, in JSON; None when what it was prepared from may have changed. Raises a `Refusal`."""


class AnswersForms(Protocol):
    """A room that a client sends a form to."""

    async def answer(self, form: Form, sender: Sender, *, now: datetime) -> bytes:
        """The body of a successful answer, in JSON. Raises a `Refusal`."""

    def prepare(self, form: Form, sender: Sender, *, now: datetime) -> Prepared | None:
        """What needs no store to answer this request, or one answer of one; None says: ask `answer`. Raises as that
        does."""


class FormEndpoint:
    """Reads the form, asks the room, and has nobody keep the answer. The path decides the dialect of refusals."""

    methods = ("POST",)

    def __init__(self, room: AnswersForms, gate: Gate, *, secure: bool) -> None:
        self._room = room
        self._gate = gate
        self._render = JsonAnswers(secure=secure).of_text
        self._recurring = RecurringRequests[Prepared](_REFRESH_TOKEN)

    def at_hand(self, scope: Scope, body: bytes) -> Rendered | Pending[Rendered] | None:
        """The answer that waits for no store, or for one answer of one."""
        now, sender = clock.now(), SenderOf(scope, self._gate)
        prepared, part = self._recurring.find(scope, body)
        refresh_token = part.decode()
        told = None if prepared is None else prepared.answer(refresh_token, sender, now=now)
        if told is None:
            if not refresh_token and _RECURS not in body:
                return None
            form = parse_body(scope, body)
            if refresh_token and form.find("refresh_token") != refresh_token:
                return None
            prepared = self._room.prepare(form, sender, now=now)
            told = None if prepared is None else prepared.answer(refresh_token, sender, now=now)
            if prepared is None or told is None:
                return None
            self._recurring.keep(prepared, scope, body)
        return told.then(self._render) if isinstance(told, Pending) else self._render(told)

    async def answer(self, scope: Scope, body: bytes) -> Rendered:
        """200. Raises the refusals of `parse_body` and of the room."""
        return self._render(
            await self._room.answer(parse_body(scope, body), SenderOf(scope, self._gate), now=clock.now())
        )
