"""Refusals of the authorization endpoint: those that a page tells, and those that go back to the application.

Each `code` is an error of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6. The sentences hold nothing of the request.
"""

from service.authorize.request import Target
from service.protocol.errors import InvalidRequest, Refusal


class Unproven(InvalidRequest):
    """Who asks, or where the answer should go, is not certain: nobody is sent anywhere (RFC 9700 §4.1)."""


class UnknownClient(Unproven):
    """There is no such client, or it is disabled."""

    public = "The application is not known here."


class RedirectRefused(Unproven):
    """The address to answer to is missing, or not one that the client has registered (RFC 9700 §4.1.3)."""

    public = "The redirect_uri is not one that the application has registered."


class Expired(Unproven):
    """What was begun in this browser is too old to be gone on with, or was begun in another."""

    public = "This sign-in has taken too long, or was begun in another browser."


class SentBack(Refusal):
    """A refusal that the application is to hear: it goes to `target` as an error of `refusal.code`."""

    code = "sent_back"

    def __init__(self, target: Target, refusal: Refusal) -> None:
        super().__init__(detail=f"{refusal.code}: {refusal.detail or refusal.public}")
        self.target = target
        self.refusal = refusal


class UnsupportedResponseType(Refusal):
    """Only the authorization code leaves this endpoint (OAuth 2.1 §4.1.1)."""

    code, public = "unsupported_response_type", "Only the response type code is supported."


class RequestNotSupported(Refusal):
    """A request object came by value (OpenID Connect Core §6.1)."""

    code, public = "request_not_supported", "The parameter request is not supported."


class RequestUriNotSupported(Refusal):
    """A request object came by reference (OpenID Connect Core §6.2)."""

    code, public = "request_uri_not_supported", "The parameter request_uri is not supported."


class RegistrationNotSupported(Refusal):
    """A self-issued registration came with the request (OpenID Connect Core §7.2.1)."""

    code, public = "registration_not_supported", "The parameter registration is not supported."


class LoginRequired(Refusal):
    """Somebody would have to sign in, or to sign in again, or somebody else (OpenID Connect Core §3.1.2.6)."""

    code, public = "login_required", "The person has to sign in."


class AccountSelectionRequired(Refusal):
    """The person would have to choose an account (OpenID Connect Core §3.1.2.6)."""

    code, public = "account_selection_required", "The person has to choose an account."


class ConsentRequired(Refusal):
    """The person would have to be asked (OpenID Connect Core §3.1.2.6)."""

    code, public = "consent_required", "The person has to agree."


class UnmetAuthentication(Refusal):
    """An authentication context that the application insists on cannot be reached here (OpenID Connect Core Unmet
    Authentication Requirements 1.0)."""

    code, public = "unmet_authentication_requirements", "The required authentication cannot be given."
