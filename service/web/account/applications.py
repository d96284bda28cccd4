"""`/account/applications`: whom you have allowed what; take it back."""

from contextlib import suppress

from fastapi import APIRouter, Response

from service.consents.consent import Consent
from service.protocol.errors import NotFound
from service.web.account.visit import AccountRoute, Visit, Visitor
from service.web.pages.account import Place, applications_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)
_PAGE = 200


@router.get(Place.APPLICATIONS.path, dependencies=[public])
async def show_applications(visit: Visitor) -> Response:
    """All of them."""
    consents = await _consents(visit)
    names = {}
    for consent in consents:
        client = await visit.house.client_directory.find(consent.client_id)
        names[consent.client_id] = "" if client is None else client.name
    return applications_page(
        visit.frame(Place.APPLICATIONS),
        consents,
        names=names,
        descriptions=visit.house.catalogue.descriptions,
        now=visit.now,
    )


@router.post(Place.APPLICATIONS.path, dependencies=[public])
async def withdraw(visit: Visitor) -> Response:
    """Take back what an application was allowed; one that is allowed nothing is as it should be."""
    sent = await visit.read("client")
    with suppress(NotFound):
        await visit.house.consents.withdraw(visit.user.id, sent["client"], visit.now)
    return visit.done(Place.APPLICATIONS, "withdrawn")


async def _consents(visit: Visit) -> list[Consent]:
    found: list[Consent] = []
    while len(found) % _PAGE == 0:
        after = found[-1].id if found else ""
        page = await visit.house.consents.page(visit.user.id, after=after, limit=_PAGE)
        found += page
        if not page:
            break
    return found
