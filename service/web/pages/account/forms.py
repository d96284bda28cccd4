"""The pages of the account that are one form."""

from starlette.responses import Response

from service.accounts.account import User
from service.accounts.passwords import MAX_LENGTH
from service.accounts.profile import MAX_TEXT, MAX_URL
from service.web.pages.account.frame import Frame, account_page
from service.web.pages.address import AGAIN, EMAIL, NEW_PASSWORD, Field


def _claim(name: str, autocomplete: str, longest: int = MAX_TEXT, *, kind: str = "text", hint: bool = False) -> Field:
    direction = "auto" if kind == "text" and not hint else "ltr"
    return Field(name, kind, autocomplete, longest, name, hint=hint, required=False, direction=direction)


PROFILE_FIELDS = (
    _claim("name", "name"),
    _claim("given_name", "given-name"),
    _claim("family_name", "family-name"),
    _claim("nickname", "nickname"),
    _claim("birthdate", "bday", 10, hint=True),
    _claim("phone_number", "tel", 64, kind="tel", hint=True),
    _claim("website", "url", MAX_URL, kind="url", hint=True),
)
"""What the page asks for, of the claims that a person may make."""

PASSWORD_FIELDS = (
    Field("current_password", "password", "current-password", MAX_LENGTH, "current_password"),
    NEW_PASSWORD,
    AGAIN,
)


def profile_page(frame: Frame, user: User) -> Response:
    """Who the person is here, and what applications are told. The form posts the names of `PROFILE_FIELDS`."""
    return account_page("profile", frame, user=user, fields=[one.holding(frame.typed) for one in PROFILE_FIELDS])


def password_page(frame: Frame, *, shortest: int, has_one: bool = True) -> Response:
    """Ask for the present password, if there is one, and a new one. The form posts the names of `PASSWORD_FIELDS`."""
    fields = PASSWORD_FIELDS if has_one else PASSWORD_FIELDS[1:]
    return account_page("password", frame, fields=fields, shortest=shortest, has_one=has_one)


def email_page(frame: Frame, user: User) -> Response:
    """The address, with `choice=confirm` while it is not confirmed, and a form that posts another as `email`."""
    return account_page("email", frame, user=user, fields=[EMAIL.holding(frame.typed)])
