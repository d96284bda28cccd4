"""The authorization endpoint without HTTP: a request is checked, decided, and answered with a code."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from service.access.catalogue import Catalogue
from service.authorize.decision import AskConsent, Decision, Grant, decide
from service.authorize.hints import Hint, Hints
from service.authorize.parameters import Parameters
from service.authorize.refusals import RedirectRefused, SentBack, UnknownClient
from service.authorize.request import AuthorizationRequest, Target
from service.authorize.rules import Asked, apply_rules
from service.clients.client import Client
from service.codes.grant import AuthorizationGrant
from service.consents.book import ConsentBook
from service.identifiers import new_id
from service.protocol.errors import Delayed, InvalidRequest, Refusal
from service.sessions.browser import BrowserSession
from service.sessions.pairs import Device


class FindsClients(Protocol):
    """Every client that there is."""

    async def find(self, client_id: str) -> Client | None:
        """By id, compared exactly; a disabled one too. Raises `StoreUnavailable`."""


class IssuesCodes(Protocol):
    """Gives out authorization codes."""

    async def issue(self, grant: AuthorizationGrant) -> str:
        """A code for a grant. Raises `StoreUnavailable`."""


class AuthorizationDesk:
    """Checks, decides and answers. Keeps nothing between two calls; any number may run at once."""

    def __init__(
        self,
        clients: FindsClients,
        hints: Hints,
        consents: ConsentBook,
        codes: IssuesCodes,
        catalogue: Catalogue,
        *,
        issuer: str,
        audience: str,
    ) -> None:
        self._clients = clients
        self._hints = hints
        self._consents = consents
        self._codes = codes
        self._catalogue = catalogue
        self._issuer = issuer
        self._audience = audience

    async def check(self, parameters: Parameters, *, received_at: datetime) -> AuthorizationRequest:
        """The request, when it passes every rule; also the one of a sign-in that goes on, which is checked anew.

        Raises `UnknownClient` and `RedirectRefused`, which a page tells, then `SentBack`, and `StoreUnavailable`.
        """
        target = await self._prove(parameters)
        try:
            fields = apply_rules(Asked(parameters, target.client, self._audience))
            subject = await self._subject(parameters, fields["claims"])
        except Delayed:
            raise
        except Refusal as refusal:
            raise SentBack(target, refusal) from None
        return AuthorizationRequest(target=target, subject=subject, received_at=received_at, **fields)

    async def decide(
        self, request: AuthorizationRequest, signed_in: BrowserSession | None, *, chosen: str | None, now: datetime
    ) -> Decision:
        """The next step for whoever is signed in. Raises `SentBack`, `StoreUnavailable`."""
        user = signed_in.user if signed_in else None
        consent = await self._consents.find(user.id, request.client.id) if user else None
        held = self._catalogue.effective(user.roles, user.scopes) if user else frozenset[str]()
        try:
            return decide(request, signed_in, consent, held=held, chosen=chosen, now=now)
        except Refusal as refusal:
            raise SentBack(request.target, refusal) from None

    async def agree(self, request: AuthorizationRequest, asked: AskConsent, *, now: datetime) -> Grant:
        """The person has said yes to what was asked: it is remembered. Raises `StoreUnavailable`."""
        user_id, client_id = asked.signed_in.user.id, request.client.id
        await self._consents.grant(user_id, client_id, asked.scopes | request.told, request.audience, now)
        return Grant(asked.signed_in, asked.scopes)

    async def answer(self, request: AuthorizationRequest, grant: Grant, *, device: Device) -> dict[str, str]:
        """The fields of the answer (RFC 6749 §4.1.2, RFC 9207 §2). Raises `StoreUnavailable`."""
        user, session = grant.signed_in.user, grant.signed_in.session
        code = await self._codes.issue(
            AuthorizationGrant(
                user_id=user.id,
                session_id=new_id(),
                client_id=request.client.id,
                redirect_uri=request.target.redirect_uri if request.target.is_sent else None,
                code_challenge=request.code_challenge,
                scopes=grant.scopes,
                audience=request.audience,
                nonce=request.nonce,
                auth_time=session.auth_time,
                amr=session.amr,
                acr=session.acr,
                parent_id=session.id,
                epoch=user.epoch,
                claims=request.claims,
                user_agent=device.user_agent,
                address=device.address,
                on_consent="consent" in request.prompt or not request.client.metadata.skips_consent,
            )
        )
        return self._with_issuer(request.target, {"code": code})

    def refusal(self, sent_back: SentBack) -> dict[str, str]:
        """The fields of a refusal (RFC 6749 §4.1.2.1, RFC 9207 §2)."""
        refusal = sent_back.refusal
        return self._with_issuer(sent_back.target, {"error": refusal.code, "error_description": refusal.public})

    async def hint(self, parameters: Parameters) -> Hint | None:
        """What the `id_token_hint` says, when there is one. Raises `InvalidRequest`, `StoreUnavailable`."""
        text = parameters.find("id_token_hint")
        return None if text is None else await self._hints.read(text)

    async def _prove(self, parameters: Parameters) -> Target:
        """Who asks, and where the answer goes. A repeated parameter counts as missing here: none of two is believed."""
        client_id, redirect_uri = parameters.find("client_id"), parameters.find("redirect_uri")
        client = await self._clients.find(client_id) if client_id else None
        if client is None or not client.active:
            raise UnknownClient(detail="client_id")
        registered = client.metadata.redirect_uris
        is_sent = redirect_uri is not None
        if redirect_uri is None:
            is_openid = "openid" in (parameters.find("scope") or "").split(" ")
            if "redirect_uri" in parameters.values or is_openid or len(registered) != 1:  # OpenID Connect wants it sent
                raise RedirectRefused(detail="redirect_uri is missing or repeated")
            redirect_uri = registered[0]
        elif not client.metadata.redirect_matches(redirect_uri):
            raise RedirectRefused(detail=f"client {client.id}")
        mode = parameters.find("response_mode")
        state = parameters.find("state")
        return Target(client, redirect_uri, is_sent, "form_post" if mode == "form_post" else "query", state)

    async def _subject(self, parameters: Parameters, claims: object) -> str | None:
        """Whom the answer has to be about. Raises `InvalidRequest` when two are named."""
        hint = await self.hint(parameters)
        named = {subject for subject in (hint.subject if hint else None, _claimed_subject(claims)) if subject}
        if len(named) > 1:
            raise InvalidRequest(public="The request names two people.")
        return next(iter(named), None)

    def _with_issuer(self, target: Target, fields: dict[str, str]) -> dict[str, str]:
        if target.state is not None:
            fields["state"] = target.state
        return {**fields, "iss": self._issuer}


def _claimed_subject(claims: object) -> str | None:
    """The value that an id_token's `sub` must have (OpenID Connect Core §5.5.1)."""
    for part in ("id_token", "sub", "value"):
        claims = claims.get(part) if isinstance(claims, Mapping) else None
    return claims if isinstance(claims, str) else None
