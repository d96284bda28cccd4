"""`/account/password`: a new password, for who has signed in lately and knows the present one, if there is one."""

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
    directory, user = visit.house.directory, visit.user
    new, kept = sent["password"], visit.session.id
    try:
        check_same_passwords(sent)
        if user.password_hash is None:
            await directory.set_first_password(user.id, new, keep_session=kept, now=visit.now)
        else:
            current = sent["current_password"]
            await directory.change_own_password(user.id, current=current, new=new, keep_session=kept, now=visit.now)
    except Invalid as mistake:
        return _form(visit, at("password", mistake) if mistake.field == "new_password" else mistake)
    return visit.done(Place.PASSWORD, "changed")


def _form(visit: Visit, mistake: Invalid | None = None) -> Response:
    frame = visit.frame(Place.PASSWORD, mistake=mistake)
    has_one = visit.user.password_hash is not None
    return password_page(frame, shortest=visit.house.directory.shortest_password, has_one=has_one)
