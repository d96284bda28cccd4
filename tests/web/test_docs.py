"""`/docs`, `/openapi.json` and the files of pages: ours alone, and nothing but what is listed."""

import re

import httpx2
import pytest

from tests.web.reading import read_page
from tests.web.running import Web, assert_problem

pytestmark = pytest.mark.anyio
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FILES = {
    "gatepost.css": "text/css; charset=utf-8",
    "docs.css": "text/css; charset=utf-8",
    "docs.js": "text/javascript; charset=utf-8",
    "form_post.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}


async def test_the_page_has_nothing_inline_and_names_no_other_host(web: Web) -> None:
    answer = await web.client.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers.get_list("content-security-policy") == [POLICY]
    page = read_page(answer.text)
    assert page.inline == []
    assert "//" not in answer.text.replace("<!doctype", "")
    assert set(page.references) == {
        *("/static/icon.svg", "/static/swagger-ui.css", "/static/docs.css", "/openapi.json"),
        *("/static/swagger-ui-bundle.js", "/static/docs.js"),
    }
    for reference in page.references:
        assert (await web.client.get(reference)).status_code == 200


async def test_the_window_that_authorize_opened_is_as_bare(web: Web) -> None:
    answer = await web.client.get("/docs/oauth2-redirect?code=x&state=%3Cscript%3E")
    assert answer.headers.get_list("content-security-policy") == [POLICY]
    page = read_page(answer.text)
    assert page.inline == []
    assert set(page.references) == {"/static/icon.svg", "/static/docs.css", "/static/docs-redirect.js"}
    assert "script>" not in answer.text.replace('<script src="/static/docs-redirect.js"></script>', "")


async def test_the_script_that_starts_it_asks_nobody_to_validate_and_names_no_other_host(web: Web) -> None:
    script = (await web.client.get("/static/docs.js")).text
    assert "validatorUrl: null" in script
    assert 'url: "/openapi.json"' in script
    assert "://" not in script


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".css")])
async def test_a_stylesheet_loads_nothing(web: Web, name: str) -> None:
    styles = (await web.client.get(f"/static/{name}")).text
    assert "@import" not in styles
    loaded = re.findall(r"url\(\s*['\"]?([^)'\"]*)", styles)
    assert [address for address in loaded if not address.startswith("data:")] == []


@pytest.mark.parametrize("name", sorted(FILES))
async def test_a_file_says_what_it_is_and_how_long_it_is_good(web: Web, name: str) -> None:
    answer = await web.client.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FILES[name]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert len(answer.content) == int(answer.headers["content-length"]) > 0


@pytest.mark.spec("RFC 9110 §13.1.2")
@pytest.mark.parametrize("path", ["/static/swagger-ui-bundle.js", "/openapi.json"])
async def test_a_browser_that_has_it_already_is_told_so(web: Web, path: str) -> None:
    first = await web.client.get(path)
    tag = first.headers["etag"]
    for asked in (tag, f"W/{tag}", f'"other", {tag}'):
        answer = await web.client.get(path, headers={"If-None-Match": asked})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    answer = await web.client.get(path, headers={"If-None-Match": '"other"'})
    assert (answer.status_code, answer.content) == (200, first.content)


@pytest.mark.parametrize(
    "path",
    [
        *("/static", "/static/", "/static/.", "/static/..", "/static/../setup.py", "/static/%2e%2e/page.py"),
        *("/static/..%2fpage.py", "/static/%2fetc%2fpasswd", "/static//etc/passwd", "/static/static/gatepost.css"),
        *("/static/gatepost.css%00", "/static/GATEPOST.CSS", "/static/gatepost.css/", "/static/..%5cpage.py"),
        *("/static/main.py", "/static/__init__.py", "/static/setup.html", "/static/%252e%252e%252fpage.py"),
    ],
)
async def test_no_other_path_leads_to_a_file_or_a_listing(web: Web, path: str) -> None:
    answer = await web.client.get(httpx2.URL(web.settings.public_url, raw_path=path.encode()))
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_a_file_that_is_not_there_is_a_problem(web: Web) -> None:
    assert_problem(await web.client.get("/static/nothing.js"), 404, "not_found")
