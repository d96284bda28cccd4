"""Trading an authorization code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5)."""

import hmac
import re
from hashlib import sha256

from gatepost.encoding import encode_segment
from service.clients.client import Client
from service.clients.metadata import AUTHORIZATION_CODE
from service.codes.desk import CodeDesk
from service.codes.grant import AuthorizationGrant
from service.grants.person import PersonTokens
from service.grants.request import Issued, TokenRequest
from service.protocol.errors import Conflict, InvalidGrant

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}", re.ASCII)


class AuthorizationCodeGrant:
    """One code, one session. A code that was presented is spent, whatever else was wrong with the request."""

    grant_type = AUTHORIZATION_CODE
    parameters = frozenset({"code", "redirect_uri", "code_verifier"})

    def __init__(self, desk: CodeDesk, tokens: PersonTokens) -> None:
        self._desk = desk
        self._tokens = tokens

    async def redeem(self, request: TokenRequest) -> Issued:
        """The tokens. Raises `InvalidGrant`; a second redemption has by then ended what the first one opened, however
        far that has come. Raises `InvalidTarget`, `StoreUnavailable`."""
        code, now = request.form.get("code"), request.now
        grant = await self._desk.take(code, now=now)
        _check_client(grant, request.client)
        _check_redirect(grant, request.form.find("redirect_uri"), request.client)
        _check_verifier(grant, request.form.find("code_verifier"))
        try:
            issued = await self._tokens.open(grant, request)
        except Conflict:  # the engine has forgotten the first redemption, the ledger has not
            await self._desk.end(code, now=now)
            raise InvalidGrant(detail="the code was redeemed before") from None
        await self._desk.settle(code, now=now)
        return issued


def _check_client(grant: AuthorizationGrant, client: Client) -> None:
    if grant.client_id != client.id:
        raise InvalidGrant(detail="the code belongs to another client")


def _check_redirect(grant: AuthorizationGrant, sent: str | None, client: Client) -> None:
    """The same as at the authorization endpoint, to the letter; where that had none, none or the registered one. One
    that is not registered any more gets nothing."""
    may_be = {grant.redirect_uri} if grant.redirect_uri is not None else {None, *client.metadata.redirect_uris}
    if sent not in may_be:
        raise InvalidGrant(detail="another redirect_uri than at the authorization endpoint")
    if grant.redirect_uri is not None and not client.metadata.redirect_matches(grant.redirect_uri):
        raise InvalidGrant(detail="the redirect_uri is not registered any more")


def _check_verifier(grant: AuthorizationGrant, verifier: str | None) -> None:
    if verifier is None or _VERIFIER.fullmatch(verifier) is None:
        raise InvalidGrant(detail="no code_verifier, or a malformed one")
    challenge = encode_segment(sha256(verifier.encode("ascii")).digest())
    if not hmac.compare_digest(challenge, grant.code_challenge.encode()):
        raise InvalidGrant(detail="the code_verifier does not fit")
