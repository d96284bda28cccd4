"""What clients and resource servers can find out by themselves: three documents, from the settings alone.

No field of a request has a say in them (RFC 9700 §4.5.3 in spirit): behind any Host they name the configured addresses.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from service.accounts.claims import STANDARD_CLAIMS
from service.clients.metadata import AUTH_METHODS, SECRET_BASIC, SECRET_POST
from service.web.oauth.errors import DEVICE_AUTHORIZATION, INTROSPECT, REVOKE, TOKEN, USERINFO
from service.web.security import Route, public

router = APIRouter(tags=["OAuth"], route_class=Route)
PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
_KEPT = "public, max-age=300"
_IN_ID_TOKEN = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "sid", "amr", "acr", "at_hash")


@dataclass(frozen=True, slots=True)
class Metadata:
    """The documents, made once: `server` is RFC 8414's and OpenID Connect Discovery's, `resource` RFC 9728's."""

    server: Mapping[str, Any]
    resource: Mapping[str, Any]


def describe(
    *,
    issuer: str,
    public_url: str,
    grant_types: Iterable[str],
    algorithms: Sequence[str],
    scopes: Iterable[str],
    locales: Iterable[str],
) -> Metadata:
    """The documents of one deployment. `algorithms` are those whose keys are published, `scopes` those with a
    description."""
    scopes = sorted(scopes)
    server: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{public_url}/oauth2/authorize",
        "token_endpoint": public_url + TOKEN,
        "userinfo_endpoint": public_url + USERINFO,
        "jwks_uri": f"{public_url}/.well-known/jwks.json",
        "revocation_endpoint": public_url + REVOKE,
        "introspection_endpoint": public_url + INTROSPECT,
        "device_authorization_endpoint": public_url + DEVICE_AUTHORIZATION,
        "end_session_endpoint": f"{public_url}/oauth2/logout",
        "service_documentation": f"{public_url}/docs",
        "scopes_supported": scopes,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": sorted(grant_types),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": [SECRET_BASIC, SECRET_POST],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(algorithms),
        "claims_supported": [*_IN_ID_TOKEN, *STANDARD_CLAIMS],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": list(locales),
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "protected_resources": [public_url],
    }
    resource: dict[str, Any] = {
        "resource": public_url,
        "authorization_servers": [issuer],
        "jwks_uri": server["jwks_uri"],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_documentation": server["service_documentation"],
    }
    return Metadata(server, resource)


@router.get("/.well-known/openid-configuration", summary="OpenID Provider metadata", dependencies=[public])
async def openid_configuration(request: Request, response: Response) -> dict[str, Any]:
    """Every address and ability of this provider (OpenID Connect Discovery §4). Asks no store."""
    return _kept(response, _metadata(request).server)


@router.get("/.well-known/oauth-authorization-server", summary="Authorization server metadata", dependencies=[public])
async def authorization_server(request: Request, response: Response) -> dict[str, Any]:
    """The same for clients of OAuth (RFC 8414 §3)."""
    return _kept(response, _metadata(request).server)


@router.get(PROTECTED_RESOURCE, summary="Protected resource metadata", dependencies=[public])
async def protected_resource(request: Request, response: Response) -> dict[str, Any]:
    """Who gives out tokens for this API (RFC 9728 §3). Every Bearer challenge names this address."""
    return _kept(response, _metadata(request).resource)


def _metadata(request: Request) -> Metadata:
    metadata: Metadata = request.app.state.metadata
    return metadata


def _kept(response: Response, document: Mapping[str, Any]) -> dict[str, Any]:
    response.headers["Cache-Control"] = _KEPT
    response.headers["Access-Control-Allow-Origin"] = "*"
    return dict(document)
