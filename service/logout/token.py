"""The logout token (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from service.logout.notice import LogoutNotice
from service.tokens.id_token import Signer

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LIFE = timedelta(minutes=2)


class LogoutTokens:
    """Puts together logout tokens and has them signed. `algorithms` are those whose keys are published."""

    def __init__(self, signer: Signer, *, issuer: str, algorithms: Sequence[str]) -> None:
        self._signer = signer
        self._issuer = issuer
        self._algorithms = tuple(algorithms)

    def issue(self, notice: LogoutNotice, *, algorithm: str, now: datetime) -> str:
        """A token for the client of this notice alone; each try has the same `jti`, so that it counts once there.

        `algorithm` is that of the client's id_tokens (§2.6); where its keys are not kept, the first that is. It has no
        `nonce`, so that it is never taken for one of them. Raises `StoreUnavailable` before a key has been read.
        """
        issued_at = int(now.timestamp())
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": notice.client_id,
            "sub": notice.subject,
            "sid": notice.session_id,
            "iat": issued_at,
            "exp": issued_at + int(LIFE.total_seconds()),
            "jti": notice.id,
            "events": {EVENT: {}},
        }
        kept = algorithm if algorithm in self._algorithms else self._algorithms[0]
        return self._signer.sign(claims, typ="logout+jwt", now=now, algorithm=kept)
