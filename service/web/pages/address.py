"""The pages about e-mail addresses: one form each, and one page that says what comes next."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from markupsafe import Markup
from starlette.responses import Response

from service.accounts.passwords import MAX_LENGTH
from service.protocol.errors import Invalid
from service.web.pages.language import Locale
from service.web.pages.page import page


@dataclass(frozen=True, slots=True)
class Field:
    """One input. Its words are the catalogue's `field.<label>`, with a hint where `hint` says so."""

    name: str
    type: str
    autocomplete: str
    longest: int
    label: str
    hint: bool = False
    value: str = ""
    required: bool = True
    direction: str = "ltr"

    def holding(self, typed: Mapping[str, str]) -> "Field":
        """The same with what was typed before; a password is never shown again."""
        return self if self.type == "password" else replace(self, value=typed.get(self.name, ""))


@dataclass(frozen=True, slots=True)
class Form:
    """One page with one form; `name` is what its words in the catalogue begin with."""

    name: str
    action: str
    fields: tuple[Field, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that a person fills in."""
        return tuple(one.name for one in self.fields)


EMAIL = Field("email", "email", "email", 254, "email")
USERNAME = Field("username", "text", "username", 64, "username", hint=True)
NEW_PASSWORD = Field("password", "password", "new-password", MAX_LENGTH, "new_password", hint=True)
AGAIN = Field("password_again", "password", "new-password", MAX_LENGTH, "password_again")

FORGOT = Form("forgot", "/forgot-password", (EMAIL,))
RESET = Form("reset", "/reset-password", (NEW_PASSWORD, AGAIN))
REGISTER = Form("register", "/register", (EMAIL,))
COMPLETE = Form("complete", "/register/complete", (USERNAME, NEW_PASSWORD, AGAIN))
CONFIRM = Form("confirm", "/confirm-email", ())


def form_page(
    form: Form,
    *,
    locale: Locale,
    sent_along: Mapping[str, str],
    shortest: int = 0,
    mistake: Invalid | None = None,
    typed: Mapping[str, str] | None = None,
    **values: str,
) -> Response:
    """The form; with a mistake it says what was wrong and keeps what was typed, but no password."""
    return page(
        "address_form.html",
        locale=locale,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
        name=form.name,
        action=form.action,
        fields=[one.holding(typed or {}) for one in form.fields],
        sent_along=sent_along,
        shortest=shortest,
        errors={mistake.field: explained(mistake, locale, shortest)} if mistake else {},
        values=values,
    )


def done_page(name: str, *, locale: Locale, leads_to: str = "") -> Response:
    """Say what comes next; with the way to sign in where that is it."""
    return page("address_done.html", locale=locale, name=name, leads_to=leads_to)


def explained(mistake: Invalid, locale: Locale, shortest: int) -> Markup:
    """A mistake in the language of the page; one that the catalogue does not know, in English."""
    key = f"mistake.{mistake.field if mistake.rule == 'value_refused' else mistake.rule}"
    if key not in locale:
        return Markup('<bdi lang="en">{}</bdi>').format(mistake.public)
    return locale.text(key, shortest=shortest, longest=MAX_LENGTH, prefix="gp_")
