"""A person at a browser without scripts: follows redirects, fills in the forms of pages, keeps cookies."""

import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin

import httpx


@dataclass
class Form:
    """One form of a page: where it goes, how, its fields, and its buttons that have a name."""

    action: str
    method: str = "get"
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif self.forms and tag == "input" and given.get("name"):
            if given.get("type") in {"checkbox", "radio"} and "checked" not in given:
                return
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif self.forms and tag == "button" and given.get("name"):
            self.forms[-1].buttons.append((given["name"], given.get("value", "")))


class Person:
    """Somebody with an account, at one browser."""

    def __init__(self, username: str, password: str) -> None:
        self.username = username
        self.password = password
        self.browser = httpx.Client(follow_redirects=False, timeout=10, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.close()

    def go(self, url: str, *, until: str) -> str:
        """Open an address, sign in and consent when asked, and come back with the address that begins with `until`."""
        answer = self._send(self.browser.build_request("GET", url))
        for _ in range(12):
            if answer.is_redirect:
                target = urljoin(str(answer.url), answer.headers["location"])
                if target.startswith(until):
                    return target
                answer = self._send(self.browser.build_request("GET", target))
                continue
            assert answer.status_code == 200, f"{answer.status_code} at {answer.url}: {answer.text[:2000]}"
            answer = self._fill_in(answer)
        raise AssertionError("no end of pages")

    def _send(self, request: httpx.Request) -> httpx.Response:
        """Does what the page says when it is not now: waits a moment, and tries again."""
        for _ in range(5):
            answer = self.browser.send(request)
            if answer.status_code != 503:
                break
            time.sleep(int(answer.headers["retry-after"]))
        return answer

    def _fill_in(self, page: httpx.Response) -> httpx.Response:
        reader = _Forms()
        reader.feed(page.text)
        posts = [form for form in reader.forms if form.method == "post"]
        assert posts, f"a page without a form at {page.url}: {page.text[:2000]}"
        form = next((one for one in posts if "password" in one.fields), posts[0])
        sent = dict(form.fields)
        if "password" in sent:
            sent |= {"username": self.username, "password": self.password}
        elif form.buttons:
            sent |= dict([next((one for one in form.buttons if one[1] in {"allow", "yes"}), form.buttons[0])])
        return self._send(self.browser.build_request("POST", urljoin(str(page.url), form.action), data=sent))
