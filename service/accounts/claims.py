"""What applications are told about a person: the standard claims, by scope and by name (OpenID Connect Core §5)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.accounts.account import User

OPENID = "openid"
BY_SCOPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "profile": (
            *("name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile"),
            *("picture", "website", "gender", "birthdate", "zoneinfo", "locale"),
        ),
        "email": ("email", "email_verified"),
        "address": ("address",),
        "phone": ("phone_number", "phone_number_verified"),
    }
)
"""Which claims each scope asks for (OpenID Connect Core §5.4)."""

STANDARD_CLAIMS = tuple(name for names in BY_SCOPE.values() for name in names)


def scopes_of(names: Iterable[str]) -> frozenset[str]:
    """The scopes that ask for these claims, or for some of them, in words that a person understands."""
    wanted = frozenset(names)
    return frozenset(scope for scope, told in BY_SCOPE.items() if not wanted.isdisjoint(told))


def claims_of(user: User, scopes: Iterable[str], requested: Iterable[str] = ()) -> dict[str, object]:
    """What the person's account knows of the claims that these scopes and names ask for; never null, never `sub`.

    A claim that is not known is left out, an essential one too (§5.5.1). Nothing but standard claims is ever told.
    """
    wanted = {name for scope in scopes for name in BY_SCOPE.get(scope, ())}.union(requested)
    known = {
        **user.profile,
        "preferred_username": user.profile.get("preferred_username") or user.username,
        "email": user.email,
        "email_verified": None if user.email is None else user.email_verified_at is not None,
    }
    return {name: known[name] for name in STANDARD_CLAIMS if name in wanted and known.get(name) is not None}
