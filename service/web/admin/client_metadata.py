"""The registration of a client in JSON: by the names of RFC 7591 §2, lives in seconds."""

from datetime import timedelta
from typing import Annotated, Any, ClassVar

from pydantic import Field

from service.clients.metadata import AUTH_METHODS, GRANT_TYPES, ID_TOKEN_ALGORITHMS, MAX_URIS, ClientMetadata
from service.clients.uris import MAX_URI
from service.web.shapes import Change, LeftOut, Shown

_OTHER_NAMES = {"token_endpoint_auth_method": "auth_method", "id_token_signed_response_alg": "id_token_alg"}
_LINKS = frozenset({"client_uri", "logo_uri", "policy_uri", "tos_uri", "backchannel_logout_uri"})
_LIVES = frozenset({"access_life", "refresh_idle"})

Uri = Annotated[str, Field(min_length=1, max_length=MAX_URI, examples=["https://app.example.com/"])]
Uris = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_URI)]],
    Field(max_length=MAX_URIS, examples=[["https://app.example.com/callback"]]),
]
Resources = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_URI)]],
    Field(
        max_length=MAX_URIS,
        description="Audiences that it may ask tokens for, beside this service's own (RFC 8707).",
        examples=[["https://api.example.com/"]],
    ),
]
Grants = Annotated[
    list[Annotated[str, Field(max_length=64, examples=[*GRANT_TYPES])]], Field(max_length=len(GRANT_TYPES))
]
Method = Annotated[str, Field(max_length=64, description="`none` for a public client.", examples=[*AUTH_METHODS])]
Algorithm = Annotated[str, Field(max_length=16, examples=[*ID_TOKEN_ALGORITHMS])]
Life = Annotated[int, Field(ge=1, le=365 * 86_400, description="Seconds; null for the service's.", examples=[900])]


class MetadataAsked(Change):
    """What a client is registered for. Null takes a link away, and gives a life back to the service's own."""

    CLEARABLE: ClassVar[frozenset[str]] = _LINKS | _LIVES

    redirect_uris: LeftOut[Uris] = None
    post_logout_redirect_uris: LeftOut[Uris] = None
    grant_types: LeftOut[Grants] = None
    token_endpoint_auth_method: LeftOut[Method] = None
    id_token_signed_response_alg: LeftOut[Algorithm] = None
    resources: LeftOut[Resources] = None
    access_life: Life | None = None
    refresh_idle: Life | None = None
    skips_consent: LeftOut[Annotated[bool, Field(description="For your own applications.")]] = None
    client_uri: Uri | None = None
    logo_uri: Uri | None = None
    policy_uri: Uri | None = None
    tos_uri: Uri | None = None
    backchannel_logout_uri: Uri | None = None

    def given(self) -> dict[str, Any]:
        """The values that were sent, by the names and in the types of `ClientMetadata`."""
        found = {}
        for name in MetadataAsked.model_fields.keys() & self.model_fields_set:
            value = getattr(self, name)
            if name == "grant_types":
                value = frozenset(value)
            elif name in _LIVES and value is not None:
                value = timedelta(seconds=value)
            elif isinstance(value, list):
                value = tuple(value)
            found[_OTHER_NAMES.get(name, name)] = value
        return found


class MetadataShown(Shown):
    """What a client is registered for. A life of null is the service's."""

    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: list[str]
    token_endpoint_auth_method: str
    id_token_signed_response_alg: str
    resources: list[str]
    access_life: int | None
    refresh_idle: int | None
    skips_consent: bool
    client_uri: str | None
    logo_uri: str | None
    policy_uri: str | None
    tos_uri: str | None
    backchannel_logout_uri: str | None


def shown_metadata(metadata: ClientMetadata) -> dict[str, Any]:
    """The values of `MetadataShown`."""
    return {name: _plain(getattr(metadata, _OTHER_NAMES.get(name, name))) for name in MetadataShown.model_fields}


def _plain(value: object) -> object:
    match value:
        case timedelta():
            return int(value.total_seconds())
        case frozenset():
            return sorted(value)
        case tuple():
            return list(value)
        case _:
            return value
