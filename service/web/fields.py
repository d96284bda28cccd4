"""The fields that every answer carries, whichever way it leaves."""

from collections.abc import Iterable

from starlette.types import Message, Scope, Send

Field = tuple[bytes, bytes]

RATE_FIELDS = "gatepost.rate"
"""In the scope of a request: the fields about its budget, for its answer."""

REQUEST_ID_FIELD = b"x-request-id"
_ALWAYS: tuple[Field, ...] = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
_HTTPS_ONLY: Field = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_UNLESS_GIVEN: tuple[Field, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


def completed(headers: Iterable[Field], *, secure: bool) -> list[Field]:
    """The fields of an answer with those that every answer carries, but for its request id."""
    whole = [*headers]
    given = {name for name, _ in whole}
    whole += _ALWAYS
    if secure:
        whole.append(_HTTPS_ONLY)
    whole += [field for field in _UNLESS_GIVEN if field[0] not in given]
    return whole


class Outgoing:
    """The send of one request: adds the fields that are missing, drops the body of an answer to HEAD. `status` is that
    of the answer, 0 until it has begun."""

    __slots__ = ("_bodiless", "_request_id", "_scope", "_secure", "_send", "status")

    def __init__(self, send: Send, scope: Scope, request_id: bytes, *, secure: bool, bodiless: bool) -> None:
        self._send = send
        self._scope = scope
        self._request_id = request_id
        self._secure = secure
        self._bodiless = bodiless
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = completed(message.get("headers", ()), secure=self._secure)
            headers += self._scope.get(RATE_FIELDS, ())
            headers.append((REQUEST_ID_FIELD, self._request_id))
        elif self._bodiless and message.get("body"):
            message = {**message, "body": b""}
        await self._send(message)
