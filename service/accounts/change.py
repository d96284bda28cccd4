"""What an administrator may change about a person."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from service.access.catalogue import Catalogue
from service.accounts.account import User
from service.accounts.names import parse_email
from service.accounts.profile import changed_profile
from service.protocol.errors import Invalid


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change; None leaves a field as it is. `profile` holds the members to put in, None takes one out."""

    roles: Iterable[str] | None = None
    scopes: Iterable[str] | None = None
    email: str | None = None
    disabled: bool | None = None
    profile: Mapping[str, object] = field(default_factory=dict)
    email_verified: bool | None = None

    @property
    def is_of_profile_alone(self) -> bool:
        """Whether it changes nothing that a credential rests on."""
        told = bool(self.profile) or self.email_verified is not None
        return told and (self.roles, self.scopes, self.email, self.disabled) == (None,) * 4


def changed_user(user: User, change: UserChange, catalogue: Catalogue, *, now: datetime) -> User:
    """The person as they would be. A new e-mail address is not a verified one, unless the change says so.

    Raises `Invalid`.
    """
    email = user.email if change.email is None else parse_email(change.email)
    disabled_at = user.disabled_at
    if change.disabled is not None:
        disabled_at = (disabled_at or now) if change.disabled else None
    verified_at = user.email_verified_at if email == user.email else None
    if change.email_verified is not None:
        if change.email_verified and email is None:
            raise Invalid("email_verified", "There is no e-mail address to be verified.")
        verified_at = (verified_at or now) if change.email_verified else None
    return replace(
        user,
        roles=user.roles if change.roles is None else catalogue.checked_roles(change.roles),
        scopes=user.scopes if change.scopes is None else catalogue.checked_scopes(change.scopes),
        email=email,
        disabled_at=disabled_at,
        profile=changed_profile(user.profile, change.profile),
        email_verified_at=verified_at,
    )
