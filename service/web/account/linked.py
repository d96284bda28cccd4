"""`/account/linked`: the other services by which you get in here; link one more, unlink one."""

from fastapi import APIRouter, Response

from service.federation.refusals import LastWayIn
from service.web.account.visit import AccountRoute, RecentVisitor
from service.web.pages.account import Place, linked_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)


@router.get(Place.LINKED.path, dependencies=[public])
async def show_linked(visit: RecentVisitor) -> Response:
    """What is linked, and a button for each service that is offered: it leads there and back to this page."""
    return linked_page(
        visit.frame(Place.LINKED),
        await visit.house.identities.identities_of(visit.user.id),
        offered=await visit.house.providers.offered(now=visit.now),
        sent_along=visit.linking(Place.LINKED),
        now=visit.now,
    )


@router.post(Place.LINKED.path, dependencies=[public])
async def unlink(visit: RecentVisitor) -> Response:
    """Unlink one, unless it is the last way in. Raises `NotFound` for one that is not this person's."""
    sent = await visit.read("identity")
    try:
        await visit.house.identities.unlink(visit.user.id, sent["identity"], now=visit.now)
    except LastWayIn:
        return visit.done(Place.LINKED, "last")
    return visit.done(Place.LINKED, "unlinked")
