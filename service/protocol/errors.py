"""Every way in which Gatepost says no, as one tree.

    Refusal
    ├── InvalidRequest          malformed, repeated or contradictory input
    │   └── Invalid             a field's value is refused: carries `field`
    ├── NotAuthenticated        no credential came, or none that this route takes
    │   ├── InvalidToken        a bearer credential or API key is malformed, unknown, expired or revoked
    │   └── InvalidLogin        user name or password is wrong, or the account may not sign in
    ├── Forbidden               who is calling is known, and may not
    │   ├── InsufficientScope   carries the scopes that were needed
    │   ├── BeyondOwnScopes     would hand out, or command, more than the caller has
    │   ├── CredentialNotAllowed  this kind of credential may not do this
    │   └── CsrfFailed          a cookie came without the header that proves the page is ours
    ├── NotFound
    ├── DeadLink                a single-use link was used, replaced or outlived
    ├── NotOffered              the operator has not switched this on
    ├── Conflict                the name is taken, the state has moved on
    ├── InvalidGrant            RFC 6749 §5.2
    ├── InvalidClient           RFC 6749 §5.2
    ├── InvalidScope            RFC 6749 §5.2
    ├── InvalidTarget           the asked resource is not one that this client may have tokens for
    ├── UnauthorizedClient      the client may not use this kind of grant
    ├── UnsupportedGrantType    nobody may
    ├── AccessDenied            the person, or a rule, said no
    ├── AuthorizationPending    the person has not answered yet
    ├── ExpiredToken            a device code is past its end
    ├── SlowDown                polled too soon; the interval grows by 5 s
    └── Delayed                 carries `retry_after`
        ├── TooBusy             too much expensive work is waiting
        ├── TooManyAttempts     somebody is guessing
        ├── TooManyRequests     a budget of requests is spent
        └── StoreUnavailable    a store is away

A refusal has a stable `code`, one `public` sentence, and `detail` for the log alone. It has no status and no header:
only `web/errors.py` knows those.
"""

from collections.abc import Iterable
from datetime import timedelta


class Refusal(Exception):
    """A request that is refused for a known reason."""

    code = "refused"
    public = "The request was refused."

    def __init__(self, *, detail: str = "", public: str | None = None) -> None:
        super().__init__(detail or public or self.public)
        self.detail = detail
        if public is not None:
            self.public = public


class InvalidRequest(Refusal):
    """The request is malformed, repeats what may come once, or contradicts itself (RFC 6749 §5.2, RFC 6750 §3.1)."""

    code, public = "invalid_request", "The request is not valid."


class Invalid(InvalidRequest):
    """One field's value is refused; `field` is its name, `rule` a stable word for what it broke."""

    def __init__(self, field: str, public: str, *, rule: str = "value_refused", detail: str = "") -> None:
        super().__init__(public=public, detail=detail)
        self.field = field
        self.rule = rule


class NotAuthenticated(Refusal):
    """No credential was sent, or none of a kind that this route takes. Never carries an `error` (RFC 6750 §3)."""

    code, public = "not_authenticated", "This needs a credential."


class InvalidToken(NotAuthenticated):
    """The credential is malformed, unknown, expired or revoked (RFC 6750 §3.1). One sentence for all of them."""

    code, public = "invalid_token", "The credential is not valid."


class InvalidLogin(NotAuthenticated):
    """The user name or password is wrong, or the account may not sign in. One sentence for all of them."""

    code, public = "invalid_login", "The user name or password is not right."


class Forbidden(Refusal):
    """Who is calling is known, and may not do this."""

    code, public = "forbidden", "This is not allowed."


class InsufficientScope(Forbidden):
    """The credential is good but lacks a scope (RFC 6750 §3.1)."""

    code, public = "insufficient_scope", "The credential does not have the needed scopes."

    def __init__(self, needed: Iterable[str], *, detail: str = "") -> None:
        super().__init__(detail=detail)
        self.needed = tuple(sorted(needed))


class BeyondOwnScopes(Forbidden):
    """An administrator would raise someone above himself, or act on someone who may do more than he."""

    code, public = "beyond_own_scopes", "This takes scopes that you do not have yourself."


class CredentialNotAllowed(Forbidden):
    """The credential is good, but its kind may not do this: an API key makes no keys, a service has no password."""

    code, public = "credential_not_allowed", "This kind of credential cannot be used here."


class CsrfFailed(Forbidden):
    """A cookie was sent on an unsafe method without the header that only our own pages can add."""

    code, public = "csrf_failed", "Cookie requests that change something need the header X-Gatepost-CSRF: 1."


class NotFound(Refusal):
    """There is no such thing, or none that the caller may see."""

    code, public = "not_found", "There is no such thing."


class DeadLink(Refusal):
    """A single-use link that was used, replaced or outlived, or never was one."""

    code, public = "dead_link", "This link has been used or has expired. Ask for a new one."


class NotOffered(Refusal):
    """The operator has not switched this on."""

    code, public = "not_offered", "This is not offered here."


class Conflict(Refusal):
    """The name is taken, or the state has moved on meanwhile."""

    code, public = "conflict", "This conflicts with what is already there."


class InvalidGrant(Refusal):
    """Code or refresh token is unknown, spent, expired or another client's (RFC 6749 §5.2).

    One public sentence for all four: telling them apart would help only a thief.
    """

    code, public = "invalid_grant", "The grant is not valid."


class InvalidClient(Refusal):
    """Client authentication failed (RFC 6749 §5.2)."""

    code, public = "invalid_client", "Client authentication failed."


class InvalidScope(Refusal):
    """The asked scope is malformed, or more than may be granted (RFC 6749 §5.2)."""

    code, public = "invalid_scope", "The requested scope is not valid or may not be granted."


class InvalidTarget(Refusal):
    """The asked `resource` is malformed, unknown, or not one that may be granted (RFC 8707 §2)."""

    code, public = "invalid_target", "The requested resource is not valid or may not be granted."


class UnauthorizedClient(Refusal):
    """The client is known, and may not use this kind of grant (RFC 6749 §5.2)."""

    code, public = "unauthorized_client", "This client may not use this kind of grant."


class UnsupportedGrantType(Refusal):
    """No client may use this kind of grant here (RFC 6749 §5.2)."""

    code, public = "unsupported_grant_type", "This kind of grant is not supported."


class AccessDenied(Refusal):
    """The person, or a rule of ours, said no (RFC 6749 §4.1.2.1, RFC 8628 §3.5)."""

    code, public = "access_denied", "Access was denied."


class AuthorizationPending(Refusal):
    """The person has not answered yet: poll on (RFC 8628 §3.5)."""

    code, public = "authorization_pending", "The request has not been answered yet."


class ExpiredToken(Refusal):
    """The device code is past its end: begin anew (RFC 8628 §3.5)."""

    code, public = "expired_token", "The device code has expired."


class SlowDown(Refusal):
    """Polled too soon: poll on, with an interval that is 5 seconds longer from now on (RFC 8628 §3.5)."""

    code, public = "slow_down", "Ask less often."


class Delayed(Refusal):
    """Not now: `retry_after` says when it is worth trying again."""

    def __init__(self, *, retry_after: timedelta, detail: str = "", public: str | None = None) -> None:
        super().__init__(detail=detail, public=public)
        self.retry_after = retry_after


class TooBusy(Delayed):
    """More of an expensive kind of work is waiting than can be done in good time."""

    code, public = "too_busy", "The service is busy. Try again shortly."


class TooManyAttempts(Delayed):
    """More wrong guesses came from one place than a person makes."""

    code, public = "too_many_attempts", "Too many attempts. Try again later."


class TooManyRequests(Delayed):
    """The caller has asked more often than it may; everything that it asks is well."""

    code, public = "too_many_requests", "Too many requests. Ask less often."


class StoreUnavailable(Delayed):
    """A store is away or does not answer in time; nothing was concluded from its silence."""

    code, public = "temporarily_unavailable", "The service cannot answer this right now. Try again shortly."

    def __init__(self, store: str, *, retry_after: timedelta = timedelta(seconds=1), detail: str = "") -> None:
        super().__init__(retry_after=retry_after, detail=f"{store}: {detail}" if detail else store)
        self.store = store
