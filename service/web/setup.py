"""`/setup`: the page behind the single-use link, where the first administrator is made."""

from http import HTTPStatus

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from service import clock
from service.protocol.errors import Conflict, Invalid, InvalidToken
from service.web.pages import PageRoute, locale_of, page
from service.web.pages.address import explained
from service.web.pages.form import check_same_passwords, read_form
from service.web.rooms import House
from service.web.security import public

router = APIRouter(prefix="/setup", route_class=PageRoute, include_in_schema=False)
_FIELDS = ("token", "username", "password", "password_again")


@router.get("", dependencies=[public])
async def show_setup(request: Request, house: House) -> Response:
    """The form, when the link is live. Looking at it uses nothing up."""
    token = request.query_params.get("token", "")
    if not await house.directory.is_setup_offered(token, now=clock.now()):
        return _dead_link(request)
    return _form(request, house, token)


@router.post("", dependencies=[public])
async def set_up(request: Request, house: House) -> Response:
    """Make the administrator. The token is in the form and nowhere else, so no other page can have sent this."""
    sent = await read_form(request, _FIELDS)
    token, username = sent["token"], sent["username"].strip()
    try:
        if not await house.directory.is_setup_offered(token, now=clock.now()):
            return _dead_link(request)
        check_same_passwords(sent)
        await house.directory.create_first_admin(token, username, sent["password"], now=clock.now())
    except InvalidToken:
        return _dead_link(request)
    except Invalid as refusal:
        return _form(request, house, token, username=username, mistake=refusal)
    except Conflict as refusal:
        taken = Invalid("username", refusal.public, rule="taken")
        return _form(request, house, token, username=username, mistake=taken)
    return RedirectResponse("/setup/done", HTTPStatus.SEE_OTHER)


@router.get("/done", dependencies=[public])
async def show_done(request: Request) -> Response:
    """What to do next. Says nothing that a stranger may not know."""
    return page("setup_done.html", locale=locale_of(request))


def _form(
    request: Request, house: House, token: str, *, username: str = "", mistake: Invalid | None = None
) -> Response:
    locale, shortest = locale_of(request), house.directory.shortest_password
    return page(
        "setup.html",
        locale=locale,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if mistake else HTTPStatus.OK,
        token=token,
        username=username,
        shortest=shortest,
        errors={mistake.field: explained(mistake, locale, shortest)} if mistake else {},
    )


def _dead_link(request: Request) -> Response:
    return page("setup_dead.html", locale=locale_of(request), status=HTTPStatus.GONE)
