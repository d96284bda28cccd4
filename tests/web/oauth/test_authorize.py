"""`/oauth2/authorize`: what is taken, what is refused where, and what comes back."""

import time
from urllib.parse import quote, urlencode

import httpx2
import pytest

from service import clock
from service.accounts.account import User
from service.clients.client import Client
from service.clients.metadata import CLIENT_CREDENTIALS
from tests.web.oauth.browsing import CHALLENGE, REDIRECT, Surfer, add_application, asked, returned, taken
from tests.web.reading import read_page
from tests.web.running import Web

pytestmark = pytest.mark.anyio
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ISSUER = "http://localhost:8000"
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


def assert_told_on_a_page(answer: httpx2.Response, status: int = 400) -> None:
    """The browser stays here, and nobody is asked for a password (RFC 9700 §4.1)."""
    assert answer.status_code == status, (answer.status_code, answer.headers.get("location"))
    assert "location" not in answer.headers
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    page = read_page(answer.text)
    assert page.inputs == {}
    assert page.inline == []


async def begin(surfer: Surfer, client: Client, **changed: str | None) -> httpx2.Response:
    return await surfer.get("/oauth2/authorize", **asked(client, **changed))


@pytest.mark.spec("RFC 6749 §4.1.2")
@pytest.mark.spec("OIDC Core §3.1.2.5")
async def test_a_person_signs_in_agrees_and_the_application_gets_a_code(
    web: Web, surfer: Surfer, orders: Client, ada: User
) -> None:
    began = clock.now()
    page = await surfer.authorize(orders)
    assert page.request.url.path == "/sign-in"
    page = await surfer.sign_in(page, "ada")
    assert page.request.url.path == "/consent"
    assert {"Orders", "app.example", "ada"} <= set(page.text.replace(">", "<").split("<"))
    fields = returned(await surfer.allow(page))
    assert fields.keys() == {"code", "state", "iss"}
    assert (fields["state"], fields["iss"]) == ("st-1", ISSUER)

    grant = await taken(web, fields["code"])
    assert (grant.user_id, grant.client_id, grant.redirect_uri) == (ada.id, orders.id, REDIRECT)
    assert (grant.scopes, grant.audience) == ({"openid", "orders:read"}, ())
    assert (grant.code_challenge, grant.nonce) == (CHALLENGE, "n-1")
    assert (grant.amr, grant.acr, grant.epoch) == (("pwd",), None, ada.epoch)
    assert began <= grant.auth_time <= clock.now()
    [hosted] = await web.rooms.sessions.page(user_id=ada.id, after="", limit=9, now=clock.now())
    assert (grant.parent_id, hosted.client_id, hosted.scopes) == (hosted.id, "gatepost", frozenset())


async def test_who_has_signed_in_and_agreed_is_asked_nothing_again(
    surfer: Surfer, orders: Client, trusted: Client, ada: User
) -> None:
    await surfer.signed_in("ada")
    returned(await surfer.allow(await surfer.authorize(orders, prompt="consent")))
    assert "code" in returned(await surfer.authorize(orders))
    assert "code" in returned(await surfer.authorize(trusted))


@pytest.mark.spec("RU-01")
@pytest.mark.spec("RFC 9700 §4.1.3")
@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("https://evil.example/cb", id="RU-01"),
        pytest.param("https://app.example.evil.example/cb", id="RU-08"),
        pytest.param("https://app.example@evil.example/cb", id="RU-09"),
        pytest.param("https://evil.example\\@app.example/cb", id="RU-10"),
        pytest.param("https://user:pw@app.example/cb", id="RU-11"),
        pytest.param("HTTPS://app.example/cb", id="RU-14"),
        pytest.param("https://APP.example/cb", id="RU-15"),
        pytest.param("https://app.example/CB", id="RU-16"),
        pytest.param("https://sub.app.example/cb", id="RU-25"),
        pytest.param("https://app.example/cb;x=1", id="RU-26"),
        pytest.param("https://app.example/./cb", id="RU-27"),
        pytest.param("https://app.example/%63b", id="RU-28"),
        pytest.param("https://app.example./cb", id="RU-29"),
        pytest.param("https:app.example/cb", id="RU-30"),
        pytest.param("https://app.example/cb?x=1", id="query"),
        pytest.param("https://app.example/cb#x", id="fragment"),
        pytest.param("https://app.example/cb/", id="slash"),
        pytest.param("https://app.example:443/cb", id="port"),
        pytest.param("http://app.example/cb", id="http"),
        pytest.param("//app.example/cb", id="no scheme"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param(" https://app.example/cb", id="blank"),
        pytest.param("https://app.example/cb\r\nX: y", id="line"),
    ],
)
async def test_an_address_that_is_not_registered_letter_for_letter_gets_nobody(
    surfer: Surfer, orders: Client, uri: str
) -> None:
    for more in ({}, {"response_type": "x"}, {"prompt": "none"}, {"response_mode": "form_post"}):
        assert_told_on_a_page(await begin(surfer, orders, redirect_uri=uri, **more))


@pytest.mark.spec("RU-37")
async def test_an_address_of_another_client_is_a_strangers(web: Web, surfer: Surfer, orders: Client) -> None:
    other = await add_application(web, "Other", redirect_uris=("https://other.example/cb",))
    assert_told_on_a_page(await begin(surfer, orders, redirect_uri="https://other.example/cb"))
    assert_told_on_a_page(await begin(surfer, other))


@pytest.mark.spec("RU-38")
@pytest.mark.spec("RFC 6749 §3.1")
async def test_an_address_or_client_that_comes_twice_is_not_believed(surfer: Surfer, orders: Client) -> None:
    good = urlencode(asked(orders))
    evil = "redirect_uri=https%3A%2F%2Fevil.example%2Fcb"
    for query in (f"{good}&{evil}", f"{evil}&{good}", f"{good}&{urlencode({'redirect_uri': REDIRECT})}"):
        assert_told_on_a_page(await surfer.get(f"/oauth2/authorize?{query}"))
    assert_told_on_a_page(await surfer.get(f"/oauth2/authorize?{good}&client_id={orders.id}"))


@pytest.mark.spec("RU-39")
@pytest.mark.spec("RFC 6749 §3.1")
@pytest.mark.parametrize(
    "name", ["response_type", "scope", "state", "code_challenge", "code_challenge_method", "nonce", "prompt", "unknown"]
)
async def test_any_other_parameter_that_comes_twice_is_refused(surfer: Surfer, orders: Client, name: str) -> None:
    query = urlencode({**asked(orders, **{name: asked(orders).get(name, "x")})})
    for again in ("other", asked(orders).get(name, "x"), ""):
        fields = returned(await surfer.get(f"/oauth2/authorize?{query}&{urlencode({name: again})}"))
        assert fields["error"] == "invalid_request"
        assert fields["iss"] == ISSUER
        assert fields.get("state") == (None if name == "state" else "st-1")


@pytest.mark.spec("RU-43")
async def test_a_registered_query_stays_and_no_other_is_taken(web: Web, surfer: Surfer, ada: User) -> None:
    uri = "https://app.example/cb?tenant=7"
    client = await add_application(web, "Tenant", redirect_uris=(uri,), skips_consent=True)
    for wrong in (REDIRECT, f"{REDIRECT}?tenant=8", f"{uri}&x=1", f"{REDIRECT}?x=1&tenant=7"):
        assert_told_on_a_page(await begin(surfer, client, redirect_uri=wrong))
    await surfer.signed_in("ada")
    answer = await surfer.authorize(client, redirect_uri=uri)
    assert answer.headers["location"].startswith(f"{uri}&code=")
    assert returned(answer, uri)["tenant"] == "7"


@pytest.mark.spec("RFC 8252 §7.3")
async def test_a_loopback_address_may_have_any_port_and_a_scheme_of_ones_own_is_exact(
    web: Web, surfer: Surfer, ada: User
) -> None:
    uris = ("http://127.0.0.1/cb", "http://[::1]:1/cb", "com.example.app:/cb", "http://localhost/cb")
    client = await add_application(web, "Mobile", confidential=False, redirect_uris=uris)
    await surfer.signed_in("ada")
    for uri in ("http://127.0.0.1:49152/cb", "http://127.0.0.1/cb", "http://[::1]:50000/cb", "com.example.app:/cb"):
        page = await surfer.authorize(client, redirect_uri=uri)
        assert page.request.url.path == "/consent"
        assert f"{uri.partition(':')[0]}:" in page.headers["content-security-policy"]
        answer = await surfer.allow(page)
        assert answer.headers["location"].startswith(f"{uri}?code=")
    for uri in (
        "http://localhost:49152/cb",
        "http://127.0.0.1:49152/other",
        "http://127.0.0.2:1/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "https://127.0.0.1/cb",
        "com.example.app:/cb/x",
        "com.example.app://cb",
    ):
        assert_told_on_a_page(await begin(surfer, client, redirect_uri=uri))


@pytest.mark.spec("RFC 6749 §4.1.2.1")
async def test_an_unknown_missing_or_disabled_client_gets_nobody(web: Web, surfer: Surfer, orders: Client) -> None:
    from service.clients.registry import ClientChange

    for client_id in (None, "", "gp_client_0000000000000000ffff", "gatepost", "x\x01", orders.id.upper()):
        assert_told_on_a_page(await begin(surfer, orders, client_id=client_id))
    gone = await add_application(web, "Gone")
    await web.rooms.clients.change(gone.id, ClientChange(disabled=True), now=clock.now())
    assert_told_on_a_page(await begin(surfer, gone))


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_the_address_may_be_left_out_only_by_plain_oauth_with_one_registered(
    web: Web, surfer: Surfer, orders: Client, trusted: Client, ada: User
) -> None:
    assert_told_on_a_page(await begin(surfer, orders, redirect_uri=None))
    assert_told_on_a_page(await begin(surfer, orders, redirect_uri=""))
    two = await add_application(web, "Two", redirect_uris=(REDIRECT, "https://app.example/2"))
    assert_told_on_a_page(await begin(surfer, two, redirect_uri=None, scope="orders:read"))
    await surfer.signed_in("ada")
    answer = await surfer.authorize(trusted, redirect_uri=None, scope="orders:read")
    assert (await taken(web, returned(answer)["code"])).redirect_uri is None


@pytest.mark.spec("RFC 7636 §4.4.1")
@pytest.mark.spec("RFC 9700 §2.1.1")
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"code_challenge_method": "plain"}, id="PKCE-03 plain"),
        pytest.param({"code_challenge_method": "S512"}, id="PKCE-03 S512"),
        pytest.param({"code_challenge_method": "s256"}, id="PKCE-03 s256"),
        pytest.param({"code_challenge_method": ""}, id="PKCE-03 empty"),
        pytest.param({"code_challenge_method": "none"}, id="PKCE-03 none"),
        pytest.param({"code_challenge_method": None}, id="PKCE-04"),
        pytest.param({"code_challenge": None}, id="no challenge"),
        pytest.param({"code_challenge": ""}, id="empty challenge"),
        pytest.param({"code_challenge": None, "code_challenge_method": None}, id="neither"),
        pytest.param({"code_challenge": CHALLENGE[:-1]}, id="PKCE-05 short"),
        pytest.param({"code_challenge": CHALLENGE + "A"}, id="PKCE-05 long"),
        pytest.param({"code_challenge": CHALLENGE[:-1] + "="}, id="PKCE-05 padded"),
        pytest.param({"code_challenge": CHALLENGE[:-1] + "+"}, id="PKCE-05 base64"),
        pytest.param({"code_challenge": CHALLENGE[:-1] + "\n"}, id="PKCE-05 line"),
    ],
)
async def test_no_code_without_a_challenge_of_s256(
    surfer: Surfer, orders: Client, changed: dict[str, str | None]
) -> None:
    fields = returned(await begin(surfer, orders, **changed))
    assert fields["error"] == "invalid_request"


@pytest.mark.spec("MIX-02")
@pytest.mark.spec("RFC 9207 §2")
@pytest.mark.spec("RFC 6749 §4.1.2.1")
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "id_token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "CODE"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "<script>"}, "invalid_request"),
        ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
        ({"request_uri": "https://app.example/r"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"scope": "admin:users:read"}, "invalid_scope"),
        ({"scope": "openid nothing:known"}, "invalid_scope"),
        ({"scope": "openid orders:write"}, "invalid_scope"),
        ({"scope": "openid  orders:read"}, "invalid_scope"),
        ({"scope": "openid\torders:read"}, "invalid_scope"),
        ({"scope": 'openid "x"'}, "invalid_scope"),
        ({"scope": " ".join(f"s{n}" for n in range(10_000))}, "invalid_scope"),
        ({"scope": "x" * 2_000}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1.5"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"max_age": "9" * 40}, "invalid_request"),
        ({"claims": "{"}, "invalid_request"),
        ({"claims": "[]"}, "invalid_request"),
        ({"claims": '{"userinfo": []}'}, "invalid_request"),
        ({"claims": '{"id_token": {"sub": 7}}'}, "invalid_request"),
        ({"claims": '{"id_token": {"sub": null}, "id_token": {}}'}, "invalid_request"),
        ({"id_token_hint": "x"}, "invalid_request"),
        ({"resource": "https://api.elsewhere.example"}, "invalid_target"),
        ({"resource": "not a uri"}, "invalid_target"),
        ({"nonce": "n" * 1_001}, "invalid_request"),
        ({"state": "s" * 7_000}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_what_is_wrong_with_a_proven_request_goes_back_with_state_and_issuer(
    surfer: Surfer, orders: Client, changed: dict[str, str | None], error: str
) -> None:
    began = time.perf_counter()
    fields = returned(await begin(surfer, orders, **changed))
    assert time.perf_counter() - began < 10  # what would hang takes minutes; a busy machine does not
    assert fields.keys() == {"error", "error_description", "state", "iss"}
    assert (fields["error"], fields["iss"]) == (error, ISSUER)
    assert fields["state"] == changed.get("state", "st-1")
    assert set(fields["error_description"]) <= set(map(chr, range(0x20, 0x7F))) - {'"', "\\"}


async def test_a_client_that_is_registered_for_other_grants_is_told_so(web: Web, surfer: Surfer) -> None:
    client = await add_application(web, "Robot", grant_types=frozenset({CLIENT_CREDENTIALS}))
    assert returned(await begin(surfer, client))["error"] == "unauthorized_client"


async def test_unknown_parameters_and_empty_ones_mean_nothing(surfer: Surfer, trusted: Client, ada: User) -> None:
    await surfer.signed_in("ada")
    fields = returned(
        await surfer.authorize(
            trusted, foo="bar", request="", prompt="", resource="", max_age="", state="", display="popup"
        )
    )
    assert fields.keys() == {"code", "iss"}


@pytest.mark.spec("RFC 6749 §3.3")
@pytest.mark.spec("SCOPE-01")
async def test_nobody_grants_what_they_do_not_hold(web: Web, surfer: Surfer) -> None:
    await web.add_user("carol")
    client = await add_application(web, "Wide", skips_consent=True, scopes=("orders:read", "admin:users:read"))
    await surfer.signed_in("carol")
    wanted = "openid orders:read admin:users:read account:read offline_access"
    assert returned(await begin(surfer, client, scope=wanted))["error"] == "invalid_scope"
    answer = await surfer.authorize(client, scope="openid orders:read admin:users:read offline_access")
    assert (await taken(web, returned(answer)["code"])).scopes == {"openid", "offline_access"}
    assert returned(await surfer.authorize(client, scope="orders:read"))["error"] == "access_denied"


async def test_without_a_scope_the_client_asks_for_its_own(
    web: Web, surfer: Surfer, trusted: Client, ada: User
) -> None:
    await surfer.signed_in("ada")
    answer = await surfer.authorize(trusted, scope=None)
    assert (await taken(web, returned(answer)["code"])).scopes == {"orders:read"}


@pytest.mark.spec("OIDC Core §11")
async def test_offline_access_is_nothing_to_a_client_that_cannot_refresh(web: Web, surfer: Surfer, ada: User) -> None:
    grants = frozenset({"authorization_code"})
    client = await add_application(web, "Brief", grant_types=grants, skips_consent=True)
    await surfer.signed_in("ada")
    answer = await surfer.authorize(client, scope="openid offline_access")
    assert (await taken(web, returned(answer)["code"])).scopes == {"openid"}


@pytest.mark.spec("RFC 8707 §2")
async def test_resources_of_the_registration_may_be_asked_for_several_at_once(
    web: Web, surfer: Surfer, ada: User
) -> None:
    apis = ("https://a.example", "https://b.example")
    client = await add_application(web, "Apis", resources=apis, skips_consent=True)
    await surfer.signed_in("ada")
    query = urlencode([*asked(client).items(), ("resource", apis[1]), ("resource", apis[0]), ("resource", ISSUER)])
    answer = await surfer.follow(await surfer.get(f"/oauth2/authorize?{query}"))
    assert (await taken(web, returned(answer)["code"])).audience == tuple(sorted((*apis, ISSUER)))


@pytest.mark.spec("FRM-01")
@pytest.mark.spec("OAuth 2.0 Form Post Response Mode §2")
async def test_a_form_carries_the_answer_and_nothing_of_it_is_in_an_address(
    surfer: Surfer, trusted: Client, ada: User
) -> None:
    await surfer.signed_in("ada")
    state = '"><script>alert(1)</script>'
    for more, expected in (({}, "code"), ({"prompt": "dance"}, "error")):
        answer = await surfer.authorize(trusted, response_mode="form_post", state=state, **more)
        assert answer.status_code == 200
        assert "location" not in answer.headers
        assert "<script>" not in answer.text
        page = read_page(answer.text)
        assert page.inline == []
        assert (page.inputs["state"]["value"], page.inputs["iss"]["value"]) == (state, ISSUER)
        assert expected in page.inputs
        assert REDIRECT in page.references
        policy = answer.headers["content-security-policy"]
        assert "https:" in policy.partition("form-action")[2].partition(";")[0]
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.spec("OIDC Core §3.1.2.1")
async def test_a_form_post_leads_the_same_way_with_the_cookies_of_the_browser(
    surfer: Surfer, orders: Client, trusted: Client, ada: User
) -> None:
    await surfer.signed_in("ada")
    answer = await surfer.client.post("/oauth2/authorize", data=asked(trusted))
    assert answer.status_code == 303
    assert "code" in returned(await surfer.follow(answer))
    broken = await surfer.client.post("/oauth2/authorize", data=asked(orders, code_challenge_method="plain"))
    assert returned(broken)["error"] == "invalid_request"
    assert_told_on_a_page(
        await surfer.client.post("/oauth2/authorize", data=asked(orders, redirect_uri="https://evil.example"))
    )


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", ""])
async def test_another_kind_of_body_is_refused(surfer: Surfer, kind: str) -> None:
    fields = {"Content-Type": kind} if kind else {}
    answer = await surfer.client.post("/oauth2/authorize", content=b"{}", headers=fields)
    assert_told_on_a_page(answer, 415)


@pytest.mark.spec("SCOPE-07")
async def test_requests_beyond_all_measure_are_refused_at_once(surfer: Surfer, orders: Client) -> None:
    huge = urlencode({**asked(orders), "scope": "x" * 100_000}).encode()
    many = b"&".join(b"p%d=1" % number for number in range(20_000))
    for body, status in ((huge, 303), (many, 400), (b"x=" + b"a" * 3_000_000, 413), (b"\xff=1", 400), (b"a=%00", 400)):
        began = time.perf_counter()
        answer = await surfer.client.post("/oauth2/authorize", content=body, headers=FORM)
        assert time.perf_counter() - began < 10  # what would hang takes minutes; a busy machine does not
        assert answer.status_code == status
        if status == 303:
            assert returned(answer)["error"] == "invalid_scope"


@pytest.mark.spec("NAV-01")
@pytest.mark.spec("NAV-02")
@pytest.mark.spec("RFC 9700 §4.2.4")
@pytest.mark.spec("OAuth 2.1 §7.5.2")
async def test_answers_are_never_kept_never_framed_never_shared_and_never_307(
    surfer: Surfer, orders: Client, trusted: Client, ada: User
) -> None:
    pages = [await surfer.authorize(orders)]
    await surfer.signed_in("ada")
    pages += [await surfer.authorize(orders, prompt="consent"), await begin(surfer, orders, client_id="x")]
    for page in pages:
        assert page.status_code in (200, 400)
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        references = read_page(page.text).references
        assert all(one.startswith("/") and not one.startswith("//") for one in references), references
    for answer in (*pages, await surfer.authorize(trusted), await begin(surfer, orders, prompt="none")):
        assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.status_code in (200, 303, 400)


XSS = "\"><svg onload=alert(1)>'`{{7*7}}"


@pytest.mark.spec("XSS-01")
@pytest.mark.spec("XSS-03")
@pytest.mark.parametrize(
    "name",
    ["state", "login_hint", "ui_locales", "client_id", "redirect_uri", "scope", "nonce", "response_mode", "acr_values"],
)
async def test_markup_in_a_parameter_is_text_wherever_it_comes_out(surfer: Surfer, orders: Client, name: str) -> None:
    answer = await surfer.authorize(orders, **{name: XSS})
    assert "<svg onload" not in answer.text
    assert "{{7*7}}" not in answer.headers.get("location", "")
    if answer.status_code == 303:
        fields = returned(answer)
        assert fields["error"] in ("invalid_request", "invalid_scope")
        assert XSS not in fields["error_description"]
    else:
        page = read_page(answer.text)
        assert page.inline == []
        if name == "login_hint":
            assert page.inputs["username"]["value"] == XSS


@pytest.mark.spec("XSS-02")
async def test_markup_in_a_clients_registration_is_text_and_its_logo_is_not_loaded(
    web: Web, surfer: Surfer, ada: User
) -> None:
    client = await add_application(web, "<b>Evil</b>", logo_uri="https://tracker.example/logo.png")
    await surfer.signed_in("ada")
    page = await surfer.authorize(client)
    assert page.request.url.path == "/consent"
    assert "<b>Evil" not in page.text
    assert "&lt;b&gt;Evil&lt;/b&gt;" in page.text
    assert "tracker.example" not in page.text


async def test_the_language_follows_the_request_and_then_the_browser(surfer: Surfer, orders: Client) -> None:
    assert 'lang="ar" dir="rtl"' in (await surfer.authorize(orders, ui_locales="xx ar-EG en")).text
    assert 'lang="en"' in (await surfer.authorize(orders)).text


async def test_other_methods_are_told_which_there_are(surfer: Surfer, orders: Client) -> None:
    answer = await surfer.client.put("/oauth2/authorize")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_quoted_address_is_read_once(surfer: Surfer, orders: Client) -> None:
    twice = quote(quote(REDIRECT, safe=""), safe="")
    query = urlencode(asked(orders, redirect_uri=None))
    assert_told_on_a_page(await surfer.get(f"/oauth2/authorize?{query}&redirect_uri={twice}"))
