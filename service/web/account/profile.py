"""`/account`: who you are here, and what applications are told of you."""

from fastapi import APIRouter, Response

from service.protocol.errors import Invalid
from service.web.account.visit import AccountRoute, Visitor, at
from service.web.pages.account import PROFILE_FIELDS, Place, profile_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)
_NAMES = tuple(field.name for field in PROFILE_FIELDS)
_PLAIN = frozenset({"name", "given_name", "family_name", "nickname"})


@router.get(Place.PROFILE.path, dependencies=[public])
async def show_profile(visit: Visitor) -> Response:
    """The account, and its profile to change."""
    typed = {name: str(visit.user.profile.get(name, "")) for name in _NAMES}
    return profile_page(visit.frame(Place.PROFILE, typed=typed), visit.user)


@router.post(Place.PROFILE.path, dependencies=[public])
async def change_profile(visit: Visitor) -> Response:
    """Keep what was changed; an empty field takes a claim away."""
    sent = await visit.read(*_NAMES)
    before = visit.user.profile
    change = {name: sent[name].strip() or None for name in _NAMES if sent[name].strip() != before.get(name, "")}
    try:
        if change:
            await visit.house.own_profile.change(visit.user.id, change, now=visit.now)
    except Invalid as mistake:
        field = mistake.field.removeprefix("profile/")
        wrong = Invalid(field, mistake.public, rule="text") if field in _PLAIN else at(field, mistake)
        return profile_page(visit.frame(Place.PROFILE, mistake=wrong, typed=sent), visit.user)
    return visit.done(Place.PROFILE, "saved")
