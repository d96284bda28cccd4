"""`/account/sessions`: everywhere where somebody is signed in as you, in one list; end one, or all but this."""

from fastapi import APIRouter, Response

from service.protocol.errors import InvalidRequest, NotFound
from service.sessions.overview import SeenSession
from service.web.account.visit import AccountRoute, Visit, Visitor
from service.web.oauth.flow import LOGOUT, see_other
from service.web.pages.account import Place, sessions_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)
_MOST = 500
_WHY = "ended by its owner"


@router.get(Place.SESSIONS.path, dependencies=[public])
async def show_sessions(visit: Visitor) -> Response:
    """This one first, then by last use."""
    found = await visit.house.session_overview.page(visit.user.id, after="", limit=_MOST, now=visit.now)

    def order(seen: SeenSession) -> tuple[bool, float]:
        return seen.id != visit.session.id, -seen.session.last_used_at.timestamp()

    return sessions_page(visit.frame(Place.SESSIONS), sorted(found, key=order), current=visit.session.id, now=visit.now)


@router.post(Place.SESSIONS.path, dependencies=[public])
async def end_sessions(visit: Visitor) -> Response:
    """End the named one, or all others."""
    sent = await visit.read("session", "choice")
    if sent["choice"] == "others":
        await visit.house.ending.end_all(visit.user.id, why=_WHY, now=visit.now, but=visit.session.id)
        return visit.done(Place.SESSIONS, "others")
    if sent["choice"] != "end":
        raise InvalidRequest(public="The form could not be read.", detail="no choice")
    if sent["session"] == visit.session.id:
        return see_other(LOGOUT)
    await _end(visit, sent["session"])
    return visit.done(Place.SESSIONS, "ended")


async def _end(visit: Visit, session_id: str) -> None:
    """End it; one of this person's that has ended already is as it should be. Raises `NotFound` for any other."""
    if await visit.house.ending.end_if_living(session_id, user_id=visit.user.id, why=_WHY, now=visit.now):
        return
    standing = await visit.house.sessions.find_standing(session_id)
    if standing is None or standing.user.id != visit.user.id:
        raise NotFound(public="There is no such session.")
