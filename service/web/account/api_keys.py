"""`/account/api-keys`: keys for your programs. The text of a new one is shown once."""

from datetime import timedelta

from fastapi import APIRouter, Response

from service.access.catalogue import EVERYONE
from service.identifiers import new_id
from service.protocol.errors import Conflict, Invalid, NotFound
from service.web.account.visit import AccountRoute, RecentVisitor, Visit, Visitor
from service.web.pages.account import Place, api_keys_page, key_made_page, new_key_page
from service.web.security import public

router = APIRouter(route_class=AccountRoute, include_in_schema=False)
NEW = f"{Place.API_KEYS.path}/new"
_LIVES = (7, 30, 90, 365)
_SCOPE = "scope."


@router.get(Place.API_KEYS.path, dependencies=[public])
async def show_keys(visit: Visitor) -> Response:
    """Those that are not revoked."""
    keys = await visit.house.api_keys.page(visit.user.id, after="", limit=visit.house.api_keys.at_most)
    return api_keys_page(visit.frame(Place.API_KEYS), keys, now=visit.now)


@router.post(Place.API_KEYS.path, dependencies=[public])
async def revoke_key(visit: Visitor) -> Response:
    """End one; one of this person's that has ended already is as it should be. Raises `NotFound` for any other."""
    sent = await visit.read("key")
    try:
        await visit.house.api_keys.revoke(sent["key"], user_id=visit.user.id, now=visit.now)
    except NotFound:
        if (await visit.house.api_keys.get(sent["key"])).user_id != visit.user.id:
            raise
    return visit.done(Place.API_KEYS, "revoked")


@router.get(NEW, dependencies=[public])
async def show_new_key(visit: RecentVisitor) -> Response:
    """Ask what it is for."""
    return _form(visit)


@router.post(NEW, dependencies=[public])
async def make_key(visit: RecentVisitor) -> Response:
    """Make it and show its text. The form has fixed the key's id: sent twice, it makes no second one."""
    offered = _offered(visit)
    names = {f"{_SCOPE}{scope}": scope for scope in offered}
    sent = await visit.read("key", "name", "days", *names, about="key")
    try:
        made = await visit.house.api_keys.create(
            visit.user.id,
            sent["name"],
            scopes=[scope for name, scope in names.items() if sent[name]],
            within=frozenset(offered),
            networks=(),
            life=_life(sent["days"]),
            now=visit.now,
            key_id=sent["key"],
        )
    except Invalid as mistake:
        wrong = Invalid("name", mistake.public, rule="text") if mistake.field == "name" else mistake
        return _form(visit, wrong, sent)
    except Conflict:
        return visit.done(Place.API_KEYS, "once" if await _is_made(visit, sent["key"]) else "full")
    return key_made_page(visit.frame(Place.API_KEYS), made, now=visit.now)


async def _is_made(visit: Visit, key_id: str) -> bool:
    try:
        await visit.house.api_keys.get(key_id)
    except NotFound:
        return False
    return True


def _form(visit: Visit, mistake: Invalid | None = None, sent: dict[str, str] | None = None) -> Response:
    key_id, keys = new_id(), visit.house.api_keys
    days = sorted({*_LIVES, keys.default_life.days} - {0})
    return new_key_page(
        visit.frame(Place.API_KEYS, about=key_id, mistake=mistake, typed=sent),
        key_id,
        action=NEW,
        scopes=_offered(visit),
        descriptions=visit.house.catalogue.descriptions,
        days=[life for life in days if timedelta(days=life) <= keys.longest_life],
        chosen=keys.default_life.days,
    )


def _offered(visit: Visit) -> list[str]:
    """The scopes that a key of this person can have and use: what everyone has takes a person who has signed in."""
    return sorted(visit.house.catalogue.effective(visit.user.roles, visit.user.scopes) - EVERYONE)


def _life(days: str) -> timedelta | None:
    """How long it was asked for; the default where nothing is chosen. Raises `Invalid`."""
    if not days:
        return None
    if not (days.isascii() and days.isdigit() and len(days) <= 4):
        raise Invalid("expires_in", "This is a number of days.")
    return timedelta(days=int(days))
