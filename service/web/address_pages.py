"""The hosted pages about e-mail addresses: lost password, registration, confirmation. They work without scripts.

A form behind a link carries the link's secret, which no other site knows; the two others carry the token of this
browser. Looking at a page uses nothing up: mail programs open links by themselves.
"""

from fastapi import APIRouter, Depends, Request, Response

from service import clock
from service.addresses import RegistrationMode
from service.protocol.errors import Conflict, DeadLink, Invalid, NotOffered
from service.web.addresses import behind_link, offered
from service.web.oauth.flow import Here, see_other
from service.web.pages import PageRoute, locale_of
from service.web.pages.address import (
    COMPLETE,
    CONFIRM,
    FORGOT,
    REGISTER,
    RESET,
    Form,
    done_page,
    form_page,
)
from service.web.pages.form import check_same_passwords, read_form
from service.web.rooms import House
from service.web.security import public

router = APIRouter(route_class=PageRoute, include_in_schema=False, dependencies=[Depends(offered)])
_SIGN_IN = "/sign-in"


def _open(house: House) -> None:
    if house.registration.mode is not RegistrationMode.OPEN:
        raise NotOffered


@router.get(FORGOT.action, dependencies=[public])
async def show_forgot(here: Here) -> Response:
    """Ask for the address."""
    return _ask(here, FORGOT)


@router.post(FORGOT.action, dependencies=[public])
async def forgot(here: Here) -> Response:
    """Have the letter written, and say the same whoever has the address."""
    sent = await read_form(here.request, ("csrf", "email"))
    here.browsers.check_csrf(here.browser, sent["csrf"], FORGOT.name)
    try:
        await here.house.recovery.ask(
            sent["email"].strip(),
            source=here.source,
            locale=locale_of(here.request).tag,
            now=here.now,
        )
    except Invalid as mistake:
        return _ask(here, FORGOT, mistake, sent)
    return see_other(f"{FORGOT.action}/sent")


@router.get(REGISTER.action, dependencies=[public, Depends(_open)])
async def show_register(here: Here) -> Response:
    """Ask for the address."""
    return _ask(here, REGISTER)


@router.post(REGISTER.action, dependencies=[public, Depends(_open)])
async def register(here: Here) -> Response:
    """Have the letter written, and say the same whoever has the address."""
    sent = await read_form(here.request, ("csrf", "email"))
    here.browsers.check_csrf(here.browser, sent["csrf"], REGISTER.name)
    try:
        await here.house.registration.ask(
            sent["email"].strip(),
            source=here.source,
            locale=locale_of(here.request).tag,
            now=here.now,
        )
    except Invalid as mistake:
        return _ask(here, REGISTER, mistake, sent)
    return see_other(f"{REGISTER.action}/sent")


@router.get("/forgot-password/sent", dependencies=[public])
@router.get("/register/sent", dependencies=[public])
async def show_sent(request: Request) -> Response:
    """A letter is on its way, perhaps."""
    return done_page("sent", locale=locale_of(request))


@router.get(RESET.action, dependencies=[public, behind_link])
async def show_reset(request: Request, house: House, token: str = "") -> Response:
    """Ask for the new password, when the link is live."""
    user = await house.recovery.look(token, now=clock.now())
    return _behind_link(request, house, RESET, token, username=user.username)


@router.post(RESET.action, dependencies=[public, behind_link])
async def reset(request: Request, house: House) -> Response:
    """Set it."""
    sent = await read_form(request, ("token", *RESET.names))
    user = await house.recovery.look(sent["token"], now=clock.now())
    try:
        check_same_passwords(sent)
        await house.recovery.reset(sent["token"], sent["password"], locale=locale_of(request).tag, now=clock.now())
    except Invalid as mistake:
        at = Invalid("password", mistake.public, rule=mistake.rule) if mistake.field == "new_password" else mistake
        return _behind_link(request, house, RESET, sent["token"], at, sent, username=user.username)
    return see_other(f"{RESET.action}/done")


@router.get("/reset-password/done", dependencies=[public])
async def show_reset_done(request: Request) -> Response:
    """The new password is set."""
    return done_page("reset_done", locale=locale_of(request), leads_to=_SIGN_IN)


@router.get(COMPLETE.action, dependencies=[public, behind_link])
async def show_complete(request: Request, house: House, token: str = "") -> Response:
    """Ask for name and password, when the link is live."""
    link = await house.registration.look(token, now=clock.now())
    return _behind_link(request, house, COMPLETE, token, address=link.address)


@router.post(COMPLETE.action, dependencies=[public, behind_link])
async def complete(request: Request, house: House) -> Response:
    """Make the account."""
    sent = await read_form(request, ("token", *COMPLETE.names))
    token = sent["token"]
    link = await house.registration.look(token, now=clock.now())
    try:
        check_same_passwords(sent)
        await house.registration.complete(token, sent["username"].strip(), sent["password"], now=clock.now())
    except Invalid as mistake:
        return _behind_link(request, house, COMPLETE, token, mistake, sent, address=link.address)
    except Conflict as refusal:
        taken = Invalid("username", refusal.public, rule="taken")
        return _behind_link(request, house, COMPLETE, token, taken, sent, address=link.address)
    return see_other(f"{COMPLETE.action}/done")


@router.get("/register/complete/done", dependencies=[public])
async def show_complete_done(request: Request) -> Response:
    """There is an account."""
    return done_page("complete_done", locale=locale_of(request), leads_to=_SIGN_IN)


@router.get(CONFIRM.action, dependencies=[public, behind_link])
async def show_confirm(request: Request, house: House, token: str = "") -> Response:
    """Ask whether the address is meant, when the link is live."""
    link = await house.verification.look(token, now=clock.now())
    return _behind_link(request, house, CONFIRM, token, address=link.address)


@router.post(CONFIRM.action, dependencies=[public, behind_link])
async def confirm(request: Request, house: House) -> Response:
    """It is."""
    sent = await read_form(request, ("token",))
    try:
        await house.verification.confirm(sent["token"], locale=locale_of(request).tag, now=clock.now())
    except Conflict:  # another account has come to have the address: its owner alone may know
        raise DeadLink from None
    return see_other(f"{CONFIRM.action}/done")


@router.get("/confirm-email/done", dependencies=[public])
async def show_confirm_done(request: Request) -> Response:
    """The address is the account's."""
    return done_page("confirm_done", locale=locale_of(request))


def _ask(here: Here, form: Form, mistake: Invalid | None = None, typed: dict[str, str] | None = None) -> Response:
    csrf = {"csrf": here.browsers.csrf(here.browser, form.name)}
    return here.shown(form_page(form, locale=locale_of(here.request), sent_along=csrf, mistake=mistake, typed=typed))


def _behind_link(
    request: Request,
    house: House,
    form: Form,
    token: str,
    mistake: Invalid | None = None,
    typed: dict[str, str] | None = None,
    **values: str,
) -> Response:
    return form_page(
        form,
        locale=locale_of(request),
        sent_along={"token": token},
        shortest=house.directory.shortest_password,
        mistake=mistake,
        typed=typed,
        **values,
    )
