"""What the audit is told of accounts."""

from service.accounts.account import User
from service.audit.event import Event, Kind


def account_made(kind: Kind, user: User) -> Event:
    """Somebody made an account."""
    detail: dict[str, object] = {"roles": sorted(user.roles), "scopes": sorted(user.scopes)}
    return Event(kind, subject=user.id, detail=detail)


def account_changed(before: User, after: User) -> Event:
    """What changed; addresses are personal, and what people tell of themselves is not repeated."""
    told: dict[str, object] = {}
    for name in ("roles", "scopes"):
        was, now_is = sorted(getattr(before, name)), sorted(getattr(after, name))
        if was != now_is:
            told |= {f"{name}_before": was, name: now_is}
    if before.active != after.active:
        told["disabled"] = not after.active
    if before.email_verified_at != after.email_verified_at:
        told["email_verified"] = after.email_verified_at is not None
    claims = [name for name in {*before.profile, *after.profile} if before.profile.get(name) != after.profile.get(name)]
    if claims:
        told["claims"] = sorted(claims)
    personal = {"email_before": before.email or "", "email": after.email or ""} if before.email != after.email else {}
    return Event(Kind.USER_CHANGED, subject=after.id, detail=told, personal=personal)
