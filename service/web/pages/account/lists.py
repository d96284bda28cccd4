"""The pages of the account that show who gets in: sessions, applications that were allowed something, and the other
services by which the person signs in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from service.consents.consent import Consent
from service.federation import LinkedIdentity, ProviderConfig
from service.sessions.overview import SeenSession, SessionKind
from service.web.pages.account.frame import Frame, account_page
from service.web.pages.consent import ScopeLine, scope_lines
from service.web.pages.language import Locale
from service.web.pages.moment import Moment
from service.web.pages.page import policy_of


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One session in words. `name` is the application's, or the device's; `device` is empty where nobody knows it."""

    id: str
    kind: SessionKind
    name: str
    device: str
    address: str
    began: Moment
    used: Moment
    current: bool
    within_current: bool
    offline: bool


@dataclass(frozen=True, slots=True)
class IdentityLine:
    """One identity at another service, in words: `account` is what the person is called there, where that is known."""

    id: str
    provider: str
    account: str
    since: Moment
    used: Moment


@dataclass(frozen=True, slots=True)
class ApplicationLine:
    """What one application was allowed, in words. `name` is empty when it is registered no longer."""

    id: str
    name: str
    scopes: Sequence[ScopeLine]
    resources: Sequence[str]
    since: Moment


def sessions_page(frame: Frame, sessions: Iterable[SeenSession], *, current: str, now: datetime) -> Response:
    """Every session. A form of each posts `choice=end` and its `session`, one form of all `choice=others`."""
    lines = [_session_line(seen, current, now, frame.locale) for seen in sessions]
    return account_page("sessions", frame, sessions=lines, others=[line for line in lines if not line.current])


def applications_page(
    frame: Frame,
    consents: Iterable[Consent],
    *,
    names: Mapping[str, str],
    descriptions: Mapping[str, str],
    now: datetime,
) -> Response:
    """Every consent. A form of each posts the id of the application as `client`."""
    lines = [
        ApplicationLine(
            id=consent.client_id,
            name=names.get(consent.client_id, ""),
            scopes=scope_lines(consent.scopes, descriptions, locale=frame.locale),
            resources=consent.audience,
            since=Moment.of(consent.updated_at, now, frame.locale),
        )
        for consent in consents
    ]
    return account_page("applications", frame, applications=lines)


def linked_page(
    frame: Frame,
    identities: Iterable[LinkedIdentity],
    *,
    offered: Sequence[ProviderConfig],
    sent_along: Mapping[str, str],
    now: datetime,
) -> Response:
    """Every linked identity, and each service that is `offered`. A form of each identity posts its id as `identity`;
    one of each service posts what is `sent_along` to the address from which the browser goes there."""
    labels = {one.name: one.label for one in offered}
    lines = [
        IdentityLine(
            id=one.id,
            provider=labels.get(one.provider, one.provider),
            account=one.account,
            since=Moment.of(one.linked_at, now, frame.locale),
            used=Moment.of(one.last_used_at, now, frame.locale),
        )
        for one in identities
    ]
    policy = policy_of(*(one.issuer for one in offered))
    return account_page("linked", frame, policy=policy, identities=lines, offered=labels, sent_along=sent_along)


def _session_line(seen: SeenSession, current: str, now: datetime, locale: Locale) -> SessionLine:
    session, words = seen.session, seen.device
    both = words.program and words.system
    device = locale.plain("device.words", program=words.program, system=words.system) if both else ""
    device = device or words.program or words.system
    is_application = seen.kind is SessionKind.APPLICATION
    name = (seen.client.name if seen.client else session.client_id) if is_application else device
    return SessionLine(
        id=session.id,
        kind=seen.kind,
        name=name or locale.plain("device.unknown"),
        device=device if is_application else "",
        address=session.address,
        began=Moment.of(session.created_at, now, locale),
        used=Moment.of(session.last_used_at, now, locale),
        current=session.id == current,
        within_current=session.parent_id == current,
        offline=session.offline,
    )
