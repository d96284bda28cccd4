"""`/oauth2/token` as HTTP: forms with one reading, POST alone, bounded, refused in the dialect of RFC 6749 §5.2."""

import gzip
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.web.oauth.asking import FORM, SERVICE, TOKEN, App, assert_oauth_error, given, register
from tests.web.running import Web

pytestmark = pytest.mark.anyio
GOOD = b"grant_type=client_credentials"
OURS, EVIL = "https://app.example", "https://app.example.evil.example"


@pytest.fixture(scope="module")
def web_settings() -> dict[str, str]:
    """One origin may read answers."""
    return {"SERVER__CORS_ORIGINS": OURS}


@pytest.fixture(scope="module")
async def robot(web: Web) -> App:
    """A client that calls as itself."""
    return await register(web, "Robot", "orders:read", grants=SERVICE)


async def send(app: App, content: bytes | AsyncIterator[bytes], **fields: str) -> httpx2.Response:
    """These bytes as a form of this client."""
    headers = {**app.proof, **FORM, **{name.replace("_", "-"): value for name, value in fields.items()}}
    return await app.web.client.post(TOKEN, content=content, headers=headers)


@pytest.mark.spec("TE-01")
@pytest.mark.spec("RFC 6749 §5.2")
@pytest.mark.spec("OAuth 2.1 §4")
@pytest.mark.parametrize(
    "kind",
    [
        *("password", "implicit", "none", "Client_Credentials", "client_credentials ", " client_credentials"),
        *("urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:token-exchange"),
        *("client_credentials\0", "client_credentials;scope=x", "client_credentials,refresh_token", "x" * 10_000),
    ],
)
async def test_no_other_grant_is_known_and_a_password_buys_nothing(robot: App, kind: str) -> None:
    answer = await robot.ask(TOKEN, grant_type=kind, username="ada", password="tall giraffes eat acacia")
    assert_oauth_error(answer, 400, "unsupported_grant_type")
    assert kind not in answer.json()["error_description"]


@pytest.mark.spec("TE-01")
async def test_a_request_without_a_grant_is_invalid(robot: App) -> None:
    for form in (b"", b"scope=x", b"grant_type=", b"grant_type", b"grant_type[]=client_credentials", b"&&&"):
        assert_oauth_error(await send(robot, form), 400, "invalid_request")


@pytest.mark.spec("RFC 6749 §5.2")
async def test_a_grant_that_the_client_is_not_registered_for_is_not_its_own(web: Web, robot: App) -> None:
    people = await register(web, "People")
    for app, kind in (
        (robot, "authorization_code"),
        (robot, "refresh_token"),
        (robot, "urn:ietf:params:oauth:grant-type:device_code"),
        (people, "client_credentials"),
    ):
        answer = await app.ask(TOKEN, grant_type=kind, code="x", refresh_token="x", device_code="x")
        assert_oauth_error(answer, 400, "unauthorized_client")


@pytest.mark.spec("TE-03")
@pytest.mark.spec("RFC 6749 §3.2")
@pytest.mark.parametrize("name", ["grant_type", "client_id", "scope", "code", "unknown", ""])
async def test_a_parameter_that_comes_twice_is_refused_whatever_it_says(robot: App, name: str) -> None:
    value = {"grant_type": "client_credentials", "client_id": robot.client.id, "scope": "orders:read"}.get(name, "x")
    for again in (value, "", "other"):
        form = f"grant_type=client_credentials&{name}={value}&{name}={again}" if name != "grant_type" else ""
        form = form or f"grant_type={value}&grant_type={again}"
        assert_oauth_error(await send(robot, form.encode()), 400, "invalid_request")
    given(await send(robot, GOOD + b"&unknown=x&scope="))


@pytest.mark.spec("TE-06")
@pytest.mark.parametrize(
    "tail", [b"%", b"%4", b"%zz", b"%FF", b"%C0%AF", b"%ED%A0%80", b"\xc3\xa9", b"\xff", b"\0\x80"]
)
async def test_bytes_with_more_than_one_reading_are_refused(robot: App, tail: bytes) -> None:
    for form in (GOOD + b"&x=" + tail, GOOD + b"&" + tail + b"=x"):
        assert_oauth_error(await send(robot, form), 400, "invalid_request")


@pytest.mark.spec("TE-02")
@pytest.mark.spec("HTTP-08")
@pytest.mark.spec("HTTP-09")
async def test_a_body_is_a_plain_form_or_it_is_not_read(robot: App) -> None:
    json = b'{"grant_type": "client_credentials"}'
    parts = b'--x\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\nclient_credentials\r\n--x--\r\n'
    for content, media_type in (
        (json, "application/json"),
        (GOOD, "application/json"),
        (parts, "multipart/form-data; boundary=x"),
        (parts * 10_00, "multipart/form-data; boundary=x"),
        (GOOD, "text/plain"),
        (GOOD, ""),
        (GOOD, "application/x-www-form-urlencoded, application/json"),
        (GOOD, "application/x-www-form-urlencoded2"),
    ):
        assert_oauth_error(await send(robot, content, Content_Type=media_type), 415, "invalid_request")
    for coding in ("gzip", "deflate", "br", "identity, gzip", "x"):
        answer = await send(robot, gzip.compress(GOOD), Content_Encoding=coding)
        assert_oauth_error(answer, 415, "invalid_request")
    for media_type in ("APPLICATION/X-WWW-FORM-URLENCODED", "application/x-www-form-urlencoded; charset=utf-16"):
        given(await send(robot, GOOD, Content_Type=media_type))
        assert_oauth_error(
            await send(robot, GOOD.decode().encode("utf-16"), Content_Type=media_type), 400, "invalid_request"
        )


@pytest.mark.spec("TE-04")
@pytest.mark.spec("TE-05")
async def test_what_is_beyond_all_measure_is_refused(robot: App) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(400):
            yield b"x" * 10_000

    many = b"&".join(b"p%d=1" % number for number in range(20_000))
    for content, status in (
        (GOOD + b"&" + many, 400),
        (GOOD + b"&" * 200_000, 400),
        (GOOD + b"&x=" + b"%20" * 80_000, 200),
        (GOOD + b"&code=" + b"a" * 3_000_000, 413),
        (pieces(), 413),
    ):
        answer = await send(robot, content)
        assert answer.status_code == status, answer.text
        if status != 200:
            assert_oauth_error(answer, status, "invalid_request")


@pytest.mark.spec("CL-05")
@pytest.mark.spec("RFC 6749 §2.3.1")
async def test_nothing_in_the_address_is_heeded_and_a_secret_there_is_not_logged(
    web: Web, robot: App, capsys: pytest.CaptureFixture[str]
) -> None:
    for query in (f"client_id={robot.client.id}&client_secret={robot.secret}", "grant_type=client_credentials", "x"):
        for form in ({"grant_type": "client_credentials"}, {}):
            answer = await web.client.post(f"{TOKEN}?{query}", data=form, headers=robot.proof)
            assert_oauth_error(answer, 400, "invalid_request")
    logged = "".join(capsys.readouterr())
    assert "refused" in logged
    assert robot.secret not in logged


@pytest.mark.spec("HTTP-01")
@pytest.mark.spec("TE-10")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "post", "X"])
async def test_tokens_are_asked_for_by_post_alone(web: Web, robot: App, method: str) -> None:
    headers = {**robot.proof, **FORM, "X-HTTP-Method-Override": "POST", "X-Canary": "hunter2"}
    request = web.client.build_request("GET", TOKEN, headers=headers)
    request.method = method
    answer = await web.client.send(request)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert "hunter2" not in answer.text
    if method == "HEAD":
        assert answer.content == b""
    else:
        assert_oauth_error(answer, 405, "invalid_request")


@pytest.mark.spec("CORS-01")
@pytest.mark.spec("HTTP-03")
async def test_only_a_configured_origin_may_read_an_answer_or_a_refusal(web: Web, robot: App) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    allowed = await web.client.options(TOKEN, headers={"Origin": OURS, **asked})
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, OURS)
    for origin in (EVIL, "null", "http://app.example", OURS.upper()):
        refused = await web.client.options(TOKEN, headers={"Origin": origin, **asked})
        assert "access-control-allow-origin" not in refused.headers
        for form in (GOOD, b""):
            assert "access-control-allow-origin" not in (await send(robot, form, Origin=origin)).headers
    for form in (GOOD, b""):
        assert (await send(robot, form, Origin=OURS)).headers["access-control-allow-origin"] == OURS


@pytest.mark.spec("HTTP-12")
@pytest.mark.spec("RFC 6749 §5.1")
async def test_every_answer_carries_the_fields_that_keep_it_where_it_belongs(robot: App) -> None:
    for answer in (await robot.as_itself(), await send(robot, b"")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "server" not in answer.headers
        assert "set-cookie" not in answer.headers
