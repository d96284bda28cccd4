"""The pages of the account, with content of our choice."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from fastapi import Response

from service.accounts.account import User
from service.api_keys.key import ApiKey
from service.api_keys.keyring import NewApiKey
from service.clients.client import Client
from service.consents.consent import Consent
from service.federation import LinkedIdentity, ProviderConfig
from service.limits import Rate
from service.protocol.errors import Invalid
from service.sessions.overview import SeenSession, SessionKind
from service.sessions.session import Session
from service.web.pages.account import (
    PROFILE_FIELDS,
    Frame,
    Place,
    api_keys_page,
    applications_page,
    email_page,
    key_made_page,
    linked_page,
    new_key_page,
    password_page,
    profile_page,
    sessions_page,
)
from service.web.pages.language import Locale

NOW = datetime(2026, 11, 21, 19, 23, tzinfo=UTC)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1"
TYPED = {"name": "Ada Lovelace", "given_name": "Ada", "birthdate": "1815-12-10", "website": "https://ada.example.com"}
Draw = Callable[[Locale, "Shown"], Response]


@dataclass(frozen=True)
class Shown:
    """What comes from outside, in every place of a page."""

    account: str
    client: str
    text: str
    scope: str
    words: str
    resource: str
    user_agent: str = FIREFOX
    address: str = "2001:db8::1"

    @property
    def user(self) -> User:
        """The person."""
        return User("u", self.account, f"{self.account}@example.org", None, frozenset(), frozenset(), 1, NOW)

    def frame(self, place: Place, to: Locale, **more: object) -> Frame:
        """The frame of one page."""
        whole = Frame(place, tuple(Place), to, self.account, self.text)
        return replace(whole, **more)  # type: ignore[arg-type]  # by name, as given

    def session(self, kind: SessionKind, number: int, **changed: object) -> SeenSession:
        """A session that was opened `number` days ago, and used as many hours ago."""
        session = Session(
            id=f"{kind}-{number}",
            user_id="u",
            client_id="gp_client_x" if kind is SessionKind.APPLICATION else "gatepost",
            scopes=frozenset(),
            created_at=NOW - timedelta(days=number),
            auth_time=NOW,
            amr=("pwd",),
            acr=None,
            ends_at=NOW + timedelta(days=9),
            last_used_at=NOW - timedelta(hours=number, minutes=-1),
            user_agent=self.user_agent,
            address=self.address,
        )
        client = Client("gp_client_x", self.client, True, frozenset(), (), 1, NOW)
        kept = replace(session, **changed)  # type: ignore[arg-type]  # by name, as given
        return SeenSession(kept, kind, client if kind is SessionKind.APPLICATION else None, session.ends_at)

    def key(self, **changed: object) -> ApiKey:
        """A key that nobody has used."""
        key = ApiKey(
            id="0192f3a0-0000-7000-8000-000000000000",
            user_id="u",
            name=self.words,
            hint="x7Qz",
            digest=b"",
            scopes=frozenset({self.scope}),
            networks=("192.0.2.0/24",),
            created_at=NOW - timedelta(minutes=5),
            expires_at=NOW + timedelta(days=90),
        )
        return replace(key, **changed)  # type: ignore[arg-type]  # by name, as given


def _sessions(to: Locale, it: Shown) -> Response:
    everything = [
        it.session(SessionKind.BROWSER, 0, last_used_at=NOW),
        it.session(SessionKind.APPLICATION, 1, parent_id="browser-0"),
        it.session(SessionKind.APPLICATION, 60, offline=True, parent_id="browser-0"),
        it.session(SessionKind.DIRECT, 3, user_agent=SAFARI),
        it.session(SessionKind.BROWSER, 4, user_agent="", address=""),
    ]
    return sessions_page(it.frame(Place.SESSIONS, to), everything, current="browser-0", now=NOW)


def _alone(to: Locale, it: Shown, *, done: str) -> Response:
    only = [it.session(SessionKind.BROWSER, 0, last_used_at=NOW)]
    return sessions_page(it.frame(Place.SESSIONS, to, done=done), only, current="browser-0", now=NOW)


def _applications(to: Locale, it: Shown) -> Response:
    agreed = {"": frozenset({"openid", "profile"}), it.resource: frozenset({it.scope})}
    consents = [Consent("u", "gp_client_x", agreed, NOW, NOW), Consent("u", "gp_client_gone", {}, NOW, NOW)]
    names, described = {"gp_client_x": it.client}, {it.scope: it.words}
    frame = it.frame(Place.APPLICATIONS, to)
    return applications_page(frame, consents, names=names, descriptions=described, now=NOW + timedelta(days=5))


def _no_applications(to: Locale, it: Shown) -> Response:
    frame = it.frame(Place.APPLICATIONS, to, done="withdrawn")
    return applications_page(frame, [], names={}, descriptions={}, now=NOW)


def _keys(to: Locale, it: Shown, *, done: str = "") -> Response:
    used = it.key(last_used_at=NOW - timedelta(seconds=9), scopes=frozenset(), networks=(), rate=Rate.parse("5000/h"))
    over = it.key(expires_at=NOW - timedelta(days=2))
    soon = it.key(expires_at=NOW + timedelta(hours=5), created_at=NOW - timedelta(hours=30))
    sooner = it.key(expires_at=NOW + timedelta(minutes=5))
    now = it.key(expires_at=NOW + timedelta(seconds=5))
    keys = [] if done in ("revoked", "full") else [it.key(), used, over, soon, sooner, now]
    return api_keys_page(it.frame(Place.API_KEYS, to, done=done), keys, now=NOW)


def _new_key(to: Locale, it: Shown, *, mistake: Invalid | None = None, scopes: tuple[str, ...] = ()) -> Response:
    typed = {"name": it.words, f"scope.{it.scope}": "on", "days": "30"} if mistake else {}
    frame = it.frame(Place.API_KEYS, to, mistake=mistake, typed=typed)
    described, days = {it.scope: it.words}, [7, 30, 90, 365] if scopes or mistake else []
    return new_key_page(
        frame, it.text, action="/account/api-keys/new", scopes=scopes, descriptions=described, days=days, chosen=90
    )


def _profile_mistake(to: Locale, it: Shown, *, field: str, rule: str = "value_refused") -> Response:
    typed = dict.fromkeys((one.name for one in PROFILE_FIELDS), it.words)
    frame = it.frame(Place.PROFILE, to, mistake=Invalid(field, it.words, rule=rule), typed=typed)
    return profile_page(frame, it.user)


def _linked(to: Locale, it: Shown, *, done: str, count: int) -> Response:
    there = f"{it.account}@example.com"
    linked = [LinkedIdentity("1", it.resource, "s", "u", "acme", there, NOW - timedelta(days=40), NOW)]
    linked.append(LinkedIdentity("2", it.resource, "t", "u", "gone", "", NOW - timedelta(days=400), NOW))
    offered = [ProviderConfig("acme", "oidc", "c", "", it.resource, it.client, ())] if count else []
    frame = it.frame(Place.LINKED, to, done=done)
    return linked_page(frame, linked[:count], offered=offered, sent_along={"csrf": it.text}, now=NOW)


ACCOUNT_PAGES: Mapping[str, Draw] = {
    "account": lambda to, it: profile_page(it.frame(Place.PROFILE, to, typed=TYPED, done="saved"), it.user),
    "account-mistake": partial(_profile_mistake, field="name", rule="text"),
    **{f"account-mistake-{field}": partial(_profile_mistake, field=field) for field in ("birthdate", "website")},
    "account-mistake-phone": partial(_profile_mistake, field="phone_number"),
    "account-password": lambda to, it: password_page(it.frame(Place.PASSWORD, to), shortest=15),
    "account-password-mistake": lambda to, it: password_page(
        it.frame(Place.PASSWORD, to, mistake=Invalid("current_password", "", rule="wrong_password")), shortest=15
    ),
    "account-password-done": lambda to, it: password_page(it.frame(Place.PASSWORD, to, done="changed"), shortest=15),
    "account-password-first": lambda to, it: password_page(it.frame(Place.PASSWORD, to), shortest=15, has_one=False),
    "account-email": lambda to, it: email_page(it.frame(Place.EMAIL, to, done="asked"), it.user),
    "account-email-confirmed": lambda to, it: email_page(
        it.frame(Place.EMAIL, to, done="confirmed"), replace(it.user, email_verified_at=NOW)
    ),
    "account-email-none": lambda to, it: email_page(
        it.frame(Place.EMAIL, to, done="sent"), replace(it.user, email=None)
    ),
    "account-linked": partial(_linked, done="last", count=2),
    "account-linked-none": partial(_linked, done="unlinked", count=0),
    "account-sessions": _sessions,
    "account-sessions-alone": partial(_alone, done="others"),
    "account-sessions-ended": partial(_alone, done="ended"),
    "account-applications": _applications,
    "account-applications-none": _no_applications,
    "account-keys": _keys,
    **{f"account-keys-{done}": partial(_keys, done=done) for done in ("revoked", "once", "full")},
    "account-key-new": lambda to, it: _new_key(to, it, scopes=(it.scope, "orders:write", "admin:users:read")),
    "account-key-new-nothing": _new_key,
    "account-key-mistake": lambda to, it: _new_key(
        to, it, scopes=(it.scope,), mistake=Invalid("name", it.words, rule="text")
    ),
    "account-key-too-long": lambda to, it: _new_key(
        to, it, scopes=(it.scope,), mistake=Invalid("expires_in", it.words)
    ),
    "account-key-made": lambda to, it: key_made_page(
        it.frame(Place.API_KEYS, to), NewApiKey(it.key(), "gp_key_" + "aB3x" * 18), now=NOW
    ),
}
