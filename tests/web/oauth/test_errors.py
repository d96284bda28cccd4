"""The dialect of errors at the endpoints of OAuth."""

import json
import re
from datetime import timedelta
from http import HTTPStatus

import pytest

from service.protocol import errors
from service.protocol.errors import (
    AuthorizationPending,
    InsufficientScope,
    Invalid,
    InvalidClient,
    InvalidGrant,
    InvalidToken,
    NotAuthenticated,
    Refusal,
    StoreUnavailable,
    TooBusy,
    TooManyAttempts,
)
from service.web.errors import problem, render_refusal
from service.web.oauth.errors import ENDPOINTS, INTROSPECT, REVOKE, TOKEN, USERINFO, oauth_error
from service.web.refusals import BodyTooLarge, MethodNotAllowed, UnsupportedBody
from tests.protocol.test_errors import tree

BASIC = (b"authorization", b"Basic eDp5")
REGISTERED = re.compile(
    "invalid_(request|client|grant|scope|target|token)|unauthorized_client|unsupported_grant_type|insufficient_scope|"
    "temporarily_unavailable|authorization_pending|slow_down|expired_token|access_denied"
)


def at(path: str, *fields: tuple[bytes, bytes]) -> dict[str, object]:
    return {"type": "http", "path": path, "method": "POST", "headers": list(fields)}


@pytest.mark.spec("RFC 6749 §5.2")
@pytest.mark.spec("TE-09")
@pytest.mark.parametrize("path", sorted(ENDPOINTS))
@pytest.mark.parametrize("kind", list(tree()))
def test_every_refusal_is_a_registered_error_and_ascii_text(kind: type[Refusal], path: str) -> None:
    made = {
        errors.Invalid: lambda: Invalid("scope", 'Not "that" \\ ünd\n.'),
        errors.InsufficientScope: lambda: InsufficientScope({"openid"}),
        errors.Delayed: lambda: errors.Delayed(retry_after=timedelta(seconds=3)),
        errors.TooBusy: lambda: TooBusy(retry_after=timedelta(seconds=3)),
        errors.TooManyAttempts: lambda: TooManyAttempts(retry_after=timedelta(seconds=3)),
        errors.TooManyRequests: lambda: errors.TooManyRequests(retry_after=timedelta(seconds=3)),
        errors.StoreUnavailable: lambda: StoreUnavailable("sql"),
    }
    answer = render_refusal(at(path), made.get(kind, kind)())
    document = json.loads(answer.body)
    assert document.keys() == {"error", "error_description"}
    assert REGISTERED.fullmatch(document["error"])
    assert re.fullmatch(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*", document["error_description"])
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.status_code < 500 or (answer.status_code, document["error"]) == (503, "temporarily_unavailable")


@pytest.mark.spec("RFC 6749 §5.2")
def test_a_client_that_failed_is_challenged_for_basic_only_when_it_used_the_field() -> None:
    answer = oauth_error(at(TOKEN, BASIC), InvalidClient())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="gatepost", charset="UTF-8"')
    for path in (TOKEN, REVOKE):
        answer = oauth_error(at(path), InvalidClient())
        assert answer.status_code == 400
        assert "www-authenticate" not in answer.headers
    for refusal in (InvalidGrant(), AuthorizationPending()):
        answer = oauth_error(at(TOKEN, BASIC), refusal)
        assert (answer.status_code, json.loads(answer.body)["error"]) == (400, refusal.code)


@pytest.mark.spec("RFC 7662 §2.3")
def test_at_introspection_a_client_that_failed_is_always_challenged() -> None:
    answer = oauth_error(at(INTROSPECT), InvalidClient())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="gatepost", charset="UTF-8"')


@pytest.mark.spec("RFC 6750 §3.1")
def test_at_userinfo_challenges_are_for_bearer_and_bare_without_a_credential() -> None:
    bearer = 'Bearer realm="gatepost"'
    for refusal, status, challenge in (
        (NotAuthenticated(), 401, bearer),
        (InvalidToken(), 401, bearer + ', error="invalid_token", error_description="The credential is not valid."'),
        (InsufficientScope({"openid"}), 403, bearer + ', error="insufficient_scope", scope="openid"'),
    ):
        answer = oauth_error(at(USERINFO), refusal)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (status, challenge)


def test_what_comes_from_http_itself_has_its_own_status() -> None:
    for refusal, status in ((UnsupportedBody(), 415), (BodyTooLarge(), 413), (MethodNotAllowed("POST"), 405)):
        answer = oauth_error(at(TOKEN), refusal)
        assert (answer.status_code, json.loads(answer.body)["error"]) == (status, "invalid_request")
    assert answer.headers["allow"] == "POST"
    answer = oauth_error(at(TOKEN), StoreUnavailable("redis", retry_after=timedelta(seconds=7)))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    answer = problem(at(TOKEN), HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong.")
    assert (answer.status_code, json.loads(answer.body)["error"]) == (500, "server_error")


def test_the_address_decides_the_dialect() -> None:
    assert render_refusal(at("/oauth2/authorize"), InvalidGrant()).media_type == "application/problem+json"
    assert render_refusal(at("/auth/refresh"), InvalidGrant()).media_type == "application/problem+json"
