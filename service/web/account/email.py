"""`/account/email`: the address, whether it is confirmed, and another one instead."""

from fastapi import APIRouter, Depends, Response

from service.protocol.errors import Conflict, Invalid
from service.web.account.visit import AccountRoute, RecentVisitor
from service.web.addresses import offered
from service.web.pages.account import Place, email_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False, dependencies=[Depends(offered)])


@router.get(Place.EMAIL.path, dependencies=[public])
async def show_email(visit: RecentVisitor) -> Response:
    """The address, and a form for another."""
    return email_page(visit.frame(Place.EMAIL), visit.user)


@router.post(Place.EMAIL.path, dependencies=[public])
async def change_email(visit: RecentVisitor) -> Response:
    """Have a letter written: to the new address, or to the present one to confirm it."""
    sent = await visit.read("email", "choice")
    verification = visit.house.verification
    if sent["choice"] == "confirm":
        try:
            await verification.ask(visit.user.id, source=visit.source, locale=visit.locale.tag, now=visit.now)
        except Conflict:  # it has been confirmed meanwhile: the page says so
            return visit.done(Place.EMAIL, "confirmed")
        return visit.done(Place.EMAIL, "asked")
    try:
        await verification.propose(
            visit.user.id, sent["email"].strip(), source=visit.source, locale=visit.locale.tag, now=visit.now
        )
    except Invalid as mistake:
        return email_page(visit.frame(Place.EMAIL, mistake=mistake, typed=sent), visit.user)
    return visit.done(Place.EMAIL, "sent")
