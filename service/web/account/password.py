"""`/account/password`: a new password, for who has signed in lately and knows the present one."""

from fastapi import APIRouter, Response

from service.protocol.errors import Invalid
from service.web.account.visit import AccountRoute, RecentVisitor, Visit, at
from service.web.pages.account import PASSWORD_FIELDS, Place, password_page
from service.web.pages.form import check_same_passwords
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)


@router.get(Place.PASSWORD.path, dependencies=[public])
async def show_password(visit: RecentVisitor) -> Response:
    """Ask for both."""
    return _form(visit)


@router.post(Place.PASSWORD.path, dependencies=[public])
async def change_password(visit: RecentVisitor) -> Response:
    """Set it. Every other session ends; this sign-in goes on."""
    sent = await visit.read(*(field.name for field in PASSWORD_FIELDS))
    try:
        check_same_passwords(sent)
        await visit.house.directory.change_own_password(
            visit.user.id,
            current=sent["current_password"],
            new=sent["password"],
            keep_session=visit.session.id,
            now=visit.now,
        )
    except Invalid as mistake:
        return _form(visit, at("password", mistake) if mistake.field == "new_password" else mistake)
    return visit.done(Place.PASSWORD, "changed")


def _form(visit: Visit, mistake: Invalid | None = None) -> Response:
    frame = visit.frame(Place.PASSWORD, mistake=mistake)
    return password_page(frame, shortest=visit.house.directory.shortest_password)
