"""The events that there are, and one of them as a room tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

ActorKind = Literal["user", "client", "operator", "system", "nobody"]
Outcome = Literal["ok", "refused"]


class Kind(StrEnum):
    """What happened."""

    SIGN_IN = "sign_in"
    SESSION_GRANTED = "session.granted"
    SESSION_ENDED = "session.ended"
    SESSIONS_ENDED = "sessions.ended"
    DOOR_CLOSED = "door.closed"
    PASSWORD_REFUSED = "password.refused"
    REFRESH_REUSED = "refresh_token.reused"
    CODE_REPLAYED = "code.replayed"
    TOKEN_REVOKED = "token.revoked"
    PASSWORD_CHANGED = "password.changed"
    PASSWORD_SET = "password.set"
    PASSWORD_RESET = "password.reset"
    RESET_ASKED = "password.reset_asked"
    USER_CREATED = "user.created"
    USER_REGISTERED = "user.registered"
    REGISTRATION_ASKED = "user.registration_asked"
    USER_INVITED = "user.invited"
    USER_CHANGED = "user.changed"
    PROFILE_CHANGED = "profile.changed"
    EMAIL_ASKED = "email.proof_asked"
    EMAIL_VERIFIED = "email.verified"
    EMAIL_CHANGED = "email.changed"
    IDENTITY_LINKED = "identity.linked"
    IDENTITY_UNLINKED = "identity.unlinked"
    PROVIDER_ADDED = "provider.added"
    PROVIDER_CHANGED = "provider.changed"
    PROVIDER_REMOVED = "provider.removed"
    SETUP_OFFERED = "setup.offered"
    SETUP_DONE = "setup.done"
    API_KEY_CREATED = "api_key.created"
    API_KEY_RENAMED = "api_key.renamed"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_RATE_SET = "api_key.rate_set"
    API_KEY_REVOKED = "api_key.revoked"
    CLIENT_CREATED = "client.created"
    CLIENT_CHANGED = "client.changed"
    CLIENT_SECRET_ROTATED = "client.secret_rotated"
    CONSENT_GRANTED = "consent.granted"
    CONSENT_WITHDRAWN = "consent.withdrawn"
    SIGNING_KEY_MADE = "signing_key.made"
    SIGNING_KEY_COMPROMISED = "signing_key.compromised"
    AUDIT_DROPPED = "audit.dropped"
    AUDIT_ERASED = "audit.erased"


EVENTS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.SIGN_IN: "A person signed in, or was refused",
        Kind.SESSION_GRANTED: "An application got the session that a person had granted it",
        Kind.SESSION_ENDED: "One session ended: a logout, or somebody ended it",
        Kind.SESSIONS_ENDED: "All sessions of a person ended, or all but one",
        Kind.DOOR_CLOSED: "Failures closed an account, a network or a program out, for a while or until a new password",
        Kind.PASSWORD_REFUSED: "Somebody who had signed in did not know the password when asked again",
        Kind.REFRESH_REUSED: "A spent refresh token came back: the session ended",
        Kind.CODE_REPLAYED: "A spent code came back, or its fate was in doubt: what it had opened ended",
        Kind.TOKEN_REVOKED: "An application gave an access token back",
        Kind.PASSWORD_CHANGED: "Somebody changed their own password",
        Kind.PASSWORD_SET: "An administrator set a password",
        Kind.PASSWORD_RESET: "A password was replaced by a link",
        Kind.RESET_ASKED: "Somebody asked for such a link",
        Kind.USER_CREATED: "An administrator made an account",
        Kind.USER_REGISTERED: "Somebody made their own account",
        Kind.REGISTRATION_ASKED: "Somebody asked for a link to make one",
        Kind.USER_INVITED: "An administrator invited somebody",
        Kind.USER_CHANGED: "An administrator changed roles, scopes, address or standing of an account",
        Kind.PROFILE_CHANGED: "What a person tells applications was changed",
        Kind.EMAIL_ASKED: "Somebody asked to prove or change their address",
        Kind.EMAIL_VERIFIED: "An address was proven by a link",
        Kind.EMAIL_CHANGED: "An address was replaced by a proven one",
        Kind.IDENTITY_LINKED: "An identity elsewhere was linked to an account, or an unproven one given to its owner",
        Kind.IDENTITY_UNLINKED: "An identity elsewhere was unlinked",
        Kind.PROVIDER_ADDED: "A service to sign in with was added",
        Kind.PROVIDER_CHANGED: "One was changed or disabled",
        Kind.PROVIDER_REMOVED: "One was removed",
        Kind.SETUP_OFFERED: "A link for the first administrator was made",
        Kind.SETUP_DONE: "The first administrator was made by it",
        Kind.API_KEY_CREATED: "An API key was made",
        Kind.API_KEY_RENAMED: "An API key got another name",
        Kind.API_KEY_ROTATED: "An API key got another text",
        Kind.API_KEY_RATE_SET: "An administrator set how much may be asked with an API key",
        Kind.API_KEY_REVOKED: "An API key was ended",
        Kind.CLIENT_CREATED: "A client was made",
        Kind.CLIENT_CHANGED: "A client was changed or disabled",
        Kind.CLIENT_SECRET_ROTATED: "A client got another secret",
        Kind.CONSENT_GRANTED: "A person allowed an application something",
        Kind.CONSENT_WITHDRAWN: "A consent was withdrawn, and what rested on it ended",
        Kind.SIGNING_KEY_MADE: "A signing key was made, by hand or because one was due",
        Kind.SIGNING_KEY_COMPROMISED: "A signing key was retired as compromised",
        Kind.AUDIT_DROPPED: "The oldest rows were dropped, as they were past what is kept",
        Kind.AUDIT_ERASED: "What is personal in a person's rows was erased",
    }
)
"""Every event in one sentence. `docs/audit.md` says the same; a test compares the two."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: by which kind of credential (`scheme`), which one of these, and through which application."""

    kind: ActorKind
    id: str = ""
    scheme: str = ""
    credential: str = ""
    client_id: str = ""


NOBODY = Actor("nobody")
SYSTEM = Actor("system")


@dataclass(frozen=True, slots=True)
class Event:
    """One act. `subject` is whose account it is about, `target` what it is done to, as `api_key:0192…`.

    `detail` holds plain values: text, whole numbers, truth, lists of text; `personal` what erasing a person must take
    away. `by` is who acts where the room knows better than the request: nobody has signed in before a sign-in.
    """

    kind: Kind
    subject: str = ""
    target: str = ""
    outcome: Outcome = "ok"
    by: Actor | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    personal: Mapping[str, str] = field(default_factory=dict)
