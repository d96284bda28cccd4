"""Call with stored tokens; on a 401 trade the refresh token in, store the new pair and repeat.

GP_TOKENS=tokens.json python httpx_refresh.py        (the answer of /auth/login, kept in a file)
"""

import json
import os
from collections.abc import Generator
from pathlib import Path

import httpx

URL = os.environ.get("GP_URL", "http://localhost:8000")
FILE = Path(os.environ.get("GP_TOKENS", "tokens.json"))


class GatepostAuth(httpx.Auth):
    """Adds the access token to each request and renews it when it has expired. For one thread or one event loop.

    Two tasks that refresh at once both get the same successor: the server answers a repeated refresh token alike for
    ten seconds.
    """

    requires_response_body = True

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tokens = json.loads(file.read_text())

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        used = self._tokens["access_token"]
        request.headers["Authorization"] = f"Bearer {used}"
        answer = yield request
        if answer.status_code != 401:
            return
        if used == self._tokens["access_token"]:  # no other task was faster
            asked = {"refresh_token": self._tokens["refresh_token"]}
            self._store((yield httpx.Request("POST", f"{URL}/auth/refresh", json=asked)))
        request.headers["Authorization"] = f"Bearer {self._tokens['access_token']}"
        yield request

    def _store(self, answer: httpx.Response) -> None:
        if answer.is_error:
            raise SystemExit(f"sign in again: {answer.json()['detail']}")
        self._tokens = answer.json()
        new = self._file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(answer.text)
        new.replace(self._file)
        print("refreshed")


with httpx.Client(base_url=URL, auth=GatepostAuth(FILE)) as client:
    print("hello,", client.get("/users/me").raise_for_status().json()["username"])
