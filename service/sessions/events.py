"""What the audit is told of sessions that are opened."""

from service.audit.event import Actor, Event, Kind
from service.codes.grant import AuthorizationGrant
from service.sessions.session import Session


def signed_in(session: Session, way: str) -> Event:
    """A sign-in as the audit keeps it. `way` is `direct`, by our own API, or `hosted`, at our own pages."""
    person = Actor("user", session.user_id, _how(session), session.id)
    detail: dict[str, object] = {"way": way, "scopes": sorted(session.scopes)}
    personal = {"address": session.address, "user_agent": session.user_agent}
    target = f"session:{session.id}"
    return Event(Kind.SIGN_IN, subject=session.user_id, target=target, by=person, detail=detail, personal=personal)


def session_granted(session: Session, grant: AuthorizationGrant) -> Event:
    """An application got what a person had granted."""
    person = Actor("user", session.user_id, _how(session), grant.parent_id or "", session.client_id)
    detail: dict[str, object] = {"scopes": sorted(session.scopes), "audience": sorted(session.audience)}
    target = f"session:{session.id}"
    return Event(Kind.SESSION_GRANTED, subject=session.user_id, target=target, by=person, detail=detail)


def _how(session: Session) -> str:
    """The methods of the sign-in (RFC 8176); another service's word has none of ours."""
    return "+".join(session.amr) or "federated"
