"""Forms as browsers send them (`application/x-www-form-urlencoded`), with exactly one reading."""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from service.protocol.errors import Invalid, InvalidRequest
from service.web.refusals import UnsupportedBody

LARGEST = 16 * 1024
_TYPE = b"application/x-www-form-urlencoded"


async def read_form(request: Request, fields: Collection[str]) -> dict[str, str]:
    """The text of each of `fields`, empty where the form has none.

    Raises `UnsupportedBody` for another type, `InvalidRequest` for a body of more than 16 KiB, bad UTF-8, a field that
    comes twice or that we did not ask for.
    """
    raw = await read_raw_form(request, LARGEST)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=len(fields))
    except ValueError:
        raise InvalidRequest(public="The form could not be read.") from None
    found = dict.fromkeys(fields, "") | dict(pairs)
    if len(dict(pairs)) != len(pairs) or len(found) != len(fields):
        raise InvalidRequest(public="The form could not be read.", detail="repeated or unknown fields")
    return found


def check_same_passwords(sent: Mapping[str, str]) -> None:
    """Raises `Invalid` unless the password was typed twice alike."""
    if sent["password"] != sent["password_again"]:
        raise Invalid("password_again", "The two passwords are not the same.", rule="different")


async def read_raw_form(request: Request, largest: int) -> bytes:
    """The bytes of a form, unread. Raises `UnsupportedBody` for another type, `InvalidRequest` past `largest` bytes."""
    _check_type(request)
    raw = b""
    async for piece in request.stream():
        raw += piece
        if len(raw) > largest:
            raise InvalidRequest(public="The form is too large.")
    return raw


def _check_type(request: Request) -> None:
    sent = [value for name, value in request.scope["headers"] if name == b"content-type"]
    if [value.partition(b";")[0].strip().lower() for value in sent] != [_TYPE]:
        raise UnsupportedBody(public="Send this as an ordinary HTML form.", detail="media type of a form")
