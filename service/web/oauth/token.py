"""`/oauth2/token` and `/oauth2/device_authorization`: a form in, a document out (RFC 6749 §3.2, RFC 8628 §3.1)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope

from service import clock
from service.protocol.form import Form
from service.web.oauth.form_body import authorizations, json_answer, read_form


class AnswersForms(Protocol):
    """A room that a client sends a form to."""

    async def answer(self, form: Form, authorizations: Sequence[bytes], *, now: datetime) -> Mapping[str, object]:
        """The members of a successful answer. Raises a `Refusal`."""


class FormEndpoint:
    """Reads the form, asks the room, and has nobody keep the answer. The path decides the dialect of refusals."""

    methods = ("POST",)

    def __init__(self, room: AnswersForms) -> None:
        self._room = room

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """200. Raises the refusals of `read_form` and of the room."""
        form = await read_form(scope, receive)
        return json_answer(await self._room.answer(form, authorizations(scope), now=clock.now()))
