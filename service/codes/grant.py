"""What a person has granted to a client, while it waits to be redeemed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuthorizationGrant:
    """One grant, fixed at the moment of the yes.

    `session_id` is the id that the session will have when the grant is redeemed: the ledger takes it once, so a second
    redemption is impossible even when the engine has forgotten the first. `redirect_uri` is as it was sent at the
    authorization endpoint, None when it was left out there. `code_challenge` is of the method S256 (RFC 7636 §4.2), and
    empty for a device. `audience` empty means the service's own. `claims` is the checked request parameter of that name
    (OpenID Connect Core §5.5). `parent_id` is the hosted sign-in in which the person said yes; `epoch` the person's
    epoch then. `on_consent` says that it rests on a remembered consent: withdrawn meanwhile, nothing is redeemed.
    """

    user_id: str
    session_id: str
    client_id: str
    redirect_uri: str | None
    code_challenge: str
    scopes: frozenset[str]
    audience: tuple[str, ...]
    nonce: str | None
    auth_time: datetime
    amr: tuple[str, ...]
    acr: str | None
    parent_id: str | None
    epoch: int
    claims: Mapping[str, object] = field(default_factory=dict)
    user_agent: str = ""
    address: str = ""
    on_consent: bool = False
