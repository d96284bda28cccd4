"""Scopes in plain words, and roles as named sets of them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gatepost.scopes import is_scope
from service.protocol.errors import Invalid

BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "account:read": "See your own sessions and API keys",
        "account:write": "Change your password, end your sessions, make and revoke your API keys",
        "admin:users:read": "See all users and their sessions",
        "admin:users:write": "Create, change and disable users and end their sessions",
        "admin:clients:read": "See all clients",
        "admin:clients:write": "Create, change and disable clients",
        "admin:identity-providers:read": "See the services that people sign in with",
        "admin:identity-providers:write": "Add, change and remove the services that people sign in with",
        "admin:keys:read": "See the signing keys",
        "admin:keys:write": "Rotate and retire signing keys",
        "admin:audit:read": "See who did what, for everybody",
        "admin:metrics:read": "Read the metrics of the service",
        "admin:usage:read": "See who used how much, for everybody",
        "revocations:read": "Follow the feed of revocations",
        "tokens:introspect": "Ask about tokens of any client",
    }
)
OPENID: Mapping[str, str] = MappingProxyType(
    {
        "openid": "Know who you are",
        "profile": "See your name and your profile",
        "email": "See your e-mail address",
        "phone": "See your telephone number",
        "address": "See your postal address",
        "offline_access": "Stay connected while you are away",
    }
)
"""What anybody may tell an application about themselves (OpenID Connect Core §5.4, §11); no right in any service."""
EVERYONE = frozenset({"account:read", "account:write"})
ADMIN_ROLE = "admin"
_RESERVED = ("admin:", "account:", "revocations:", "tokens:")


class Catalogue:
    """Every role, and the scopes that have a description; `names` are those and the scopes of the roles.

    Any well-formed scope may be granted; only names under `admin:`, `account:`, `revocations:` and `tokens:` must be
    ones that Gatepost itself knows, so that a typing error there is caught. The role `admin` holds every built-in one.
    """

    def __init__(self, *, scopes: Mapping[str, str] | None = None, roles: Mapping[str, Iterable[str]] | None = None):
        self.descriptions = MappingProxyType({**OPENID, **BUILT_IN, **(scopes or {})})
        named = {ADMIN_ROLE: frozenset(BUILT_IN), **{name: frozenset(held) for name, held in (roles or {}).items()}}
        self.roles: Mapping[str, frozenset[str]] = MappingProxyType(named)
        self.names = frozenset(self.descriptions).union(*self.roles.values())

    def effective(self, roles: Iterable[str], scopes: Iterable[str]) -> frozenset[str]:
        """What a person with these roles and scopes of their own may do; a role that is gone gives nothing."""
        held = frozenset(scopes) | EVERYONE
        return held.union(*(self.roles.get(role, frozenset()) for role in roles))

    def covers(self, held: frozenset[str], wanted: frozenset[str]) -> bool:
        """Whether a caller with the scopes `held` may hand out `wanted`, or command someone who has them: no more than
        the caller has.

        Who holds every built-in scope is an administrator without bounds, and may hand out the scopes of other
        services too, which mean nothing to Gatepost. What everyone has, or may tell of themselves, counts for nothing.
        """
        return held.issuperset(BUILT_IN) or wanted - EVERYONE - OPENID.keys() <= held

    def checked_scopes(self, scopes: Iterable[str]) -> frozenset[str]:
        """The scopes, if each may be granted. Raises `Invalid` for `scopes` naming the first that may not."""
        wanted = frozenset(scopes)
        for scope in sorted(wanted):
            if not is_scope(scope):
                raise Invalid("scopes", "A scope is one word of printable ASCII, 128 characters at most.")
            if scope.startswith(_RESERVED) and scope not in BUILT_IN:
                raise Invalid("scopes", f"There is no scope {scope}.", rule="unknown_scope")
        return wanted

    def checked_roles(self, roles: Iterable[str]) -> frozenset[str]:
        """The roles, if each exists. Raises `Invalid` for `roles` naming the ones that there are."""
        wanted = frozenset(roles)
        if wanted - self.roles.keys():
            raise Invalid("roles", f"The roles are: {', '.join(sorted(self.roles))}.", rule="unknown_role")
        return wanted
