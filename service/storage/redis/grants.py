"""How a grant lies in Redis while it waits for its code: JSON, written and read by this service alone."""

import json

from service.codes.grant import AuthorizationGrant
from service.storage.redis.times import from_micros, to_micros


def pack_grant(grant: AuthorizationGrant) -> str:
    """The grant as text."""
    parts = [
        grant.user_id,
        grant.session_id,
        grant.client_id,
        grant.redirect_uri,
        grant.code_challenge,
        sorted(grant.scopes),
        grant.audience,
        grant.nonce,
        to_micros(grant.auth_time),
        grant.amr,
        grant.acr,
        grant.parent_id,
        grant.epoch,
        dict(grant.claims),
        grant.user_agent,
        grant.address,
        grant.on_consent,
    ]
    return json.dumps(parts, separators=(",", ":"))


def unpack_grant(packed: bytes) -> AuthorizationGrant | None:
    """The inverse; None for what another version of this service wrote, or something else."""
    try:
        (
            user,
            session,
            client,
            uri,
            challenge,
            scopes,
            audience,
            nonce,
            at,
            amr,
            acr,
            parent,
            epoch,
            claims,
            agent,
            ip,
            on_consent,
        ) = json.loads(packed)
        return AuthorizationGrant(
            user_id=user,
            session_id=session,
            client_id=client,
            redirect_uri=uri,
            code_challenge=challenge,
            scopes=frozenset(scopes),
            audience=tuple(audience),
            nonce=nonce,
            auth_time=from_micros(at),
            amr=tuple(amr),
            acr=acr,
            parent_id=parent,
            epoch=epoch,
            claims=dict(claims),
            user_agent=agent,
            address=ip,
            on_consent=on_consent is True,
        )
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
