"""What a request leads to, for whoever is signed in: sign in, ask, or grant. Nothing here waits for anything.

nobody, not freshly enough, or somebody else than asked for    → sign in      (prompt=none: login_required …)
not agreed to yet, or asked anew                                → ask          (prompt=none: consent_required)
otherwise                                                       → grant
"""

from dataclasses import dataclass
from datetime import datetime

from service.authorize.refusals import (
    AccountSelectionRequired,
    ConsentRequired,
    LoginRequired,
    UnmetAuthentication,
)
from service.authorize.request import AuthorizationRequest
from service.authorize.rules import OPENID_SCOPES
from service.consents.consent import Consent
from service.protocol.errors import AccessDenied, Refusal
from service.sessions.browser import BrowserSession


@dataclass(frozen=True, slots=True)
class SignIn:
    """Somebody has to sign in first. `offers_account` when who is signed in may simply go on."""

    offers_account: bool


@dataclass(frozen=True, slots=True)
class AskConsent:
    """The person has to agree to these scopes."""

    signed_in: BrowserSession
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Grant:
    """These scopes are granted."""

    signed_in: BrowserSession
    scopes: frozenset[str]


Decision = SignIn | AskConsent | Grant


def must_sign_in(
    request: AuthorizationRequest, signed_in: BrowserSession | None, *, chosen: str | None, now: datetime
) -> Refusal | None:
    """Why somebody has to sign in, as an application hears it that wants no page; None when nobody has to.

    `chosen` is the session that the person chose to go on with. A sign-in after the request came counts as fresh,
    however long the person then thinks about the consent. Raises `LoginRequired` when somebody else than asked for has
    just signed in, `UnmetAuthentication` when no sign-in would be good enough.
    """
    if signed_in is None:
        return LoginRequired(detail="nobody is signed in")
    session = signed_in.session
    is_fresh = session.auth_time >= request.received_at
    if request.subject is not None and request.subject != signed_in.user.id:
        refusal = LoginRequired(detail="somebody else is signed in")
        if is_fresh:
            raise refusal
        return refusal
    is_too_old = request.max_age is not None and now - session.auth_time > request.max_age
    if not is_fresh and ("login" in request.prompt or is_too_old):
        return LoginRequired(detail="asked to sign in again")
    if not is_fresh and "select_account" in request.prompt and chosen != session.id:
        return AccountSelectionRequired()
    if not _meets_acr(request, session.acr):
        raise UnmetAuthentication
    return None


def decide(
    request: AuthorizationRequest,
    signed_in: BrowserSession | None,
    consent: Consent | None,
    *,
    held: frozenset[str],
    chosen: str | None,
    now: datetime,
) -> Decision:
    """The next step. `held` is what the person may do, `consent` what they agreed to before.

    Raises what an application hears: `LoginRequired`, `AccountSelectionRequired`, `ConsentRequired`,
    `UnmetAuthentication`, and `AccessDenied` when the person has nothing of what is asked.
    """
    refusal = must_sign_in(request, signed_in, chosen=chosen, now=now)
    if refusal is not None or signed_in is None:
        if refusal is not None and request.is_silent:
            raise refusal
        return SignIn(offers_account=isinstance(refusal, AccountSelectionRequired))
    scopes = request.scopes & (held | OPENID_SCOPES)
    if request.scopes and not scopes:
        raise AccessDenied(detail="the person holds none of the scopes")
    if not needs_consent(request, consent, scopes | request.told):
        return Grant(signed_in, scopes)
    if request.is_silent:
        raise ConsentRequired
    return AskConsent(signed_in, scopes)


def needs_consent(request: AuthorizationRequest, consent: Consent | None, scopes: frozenset[str]) -> bool:
    """Whether the person has to be asked: always when the application wants it so, or when it could be anyone."""
    if "consent" in request.prompt:
        return True
    if request.client.metadata.skips_consent:
        return False
    if request.target.is_anyones or consent is None:
        return True
    return not consent.covers(scopes, request.audience)


def _meets_acr(request: AuthorizationRequest, acr: str | None) -> bool:
    """Whether an essential `acr` of the `claims` parameter is there (OpenID Connect Core §5.5.1.1)."""
    asked = request.claims.get("id_token")
    wanted = asked.get("acr") if isinstance(asked, dict) else None
    if not isinstance(wanted, dict) or not wanted.get("essential"):
        return True
    values = wanted.get("values", [wanted["value"]] if "value" in wanted else None)
    return values is None or acr in values
