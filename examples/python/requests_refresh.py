"""Call with stored tokens; on a 401 trade the refresh token in, store the new pair and repeat.

GP_TOKENS=tokens.json python requests_refresh.py        (the answer of /auth/login, kept in a file)
"""

import json
import os
from pathlib import Path
from threading import Lock
from typing import Any

import requests
from requests.auth import AuthBase

URL = os.environ.get("GP_URL", "http://localhost:8000")
FILE = Path(os.environ.get("GP_TOKENS", "tokens.json"))


class GatepostAuth(AuthBase):
    """Adds the access token to each request and renews it when it has expired. Threads may share one."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._tokens = json.loads(file.read_text())
        self._lock = Lock()

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._tokens['access_token']}"
        request.register_hook("response", self._repeat_on_401)
        return request

    def _repeat_on_401(self, answer: requests.Response, **options: Any) -> requests.Response:
        if answer.status_code != 401:
            return answer
        answer.content  # noqa: B018 - reading it to the end frees the connection
        used = answer.request.headers["Authorization"]
        with self._lock:
            if used == f"Bearer {self._tokens['access_token']}":  # no other thread was faster
                self._refresh()
        again = answer.request.copy()
        again.headers["Authorization"] = f"Bearer {self._tokens['access_token']}"
        repeated = answer.connection.send(again, **options)
        repeated.history.append(answer)
        return repeated

    def _refresh(self) -> None:
        asked = {"refresh_token": self._tokens["refresh_token"]}
        answer = requests.post(f"{URL}/auth/refresh", json=asked, timeout=10)
        if not answer.ok:
            raise SystemExit(f"sign in again: {answer.json()['detail']}")
        self._tokens = answer.json()
        new = self._file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(answer.text)
        new.replace(self._file)
        print("refreshed")


with requests.Session() as session:
    session.auth = GatepostAuth(FILE)
    me = session.get(f"{URL}/users/me", timeout=10)
    me.raise_for_status()
    print("hello,", me.json()["username"])
