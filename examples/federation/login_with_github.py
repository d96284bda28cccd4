"""Login with GitHub from an application on the person's own machine, by Gatepost's JSON; plain `requests`.

python login_with_github.py

Gatepost knows the provider `github` (or GP_PROVIDER) and sends people back here:
GATEPOST_FEDERATION__REDIRECT_URIS=http://127.0.0.1:8700/callback, which is also the callback URL at GitHub. The secret
that GitHub has given out stays at Gatepost.
"""

import os
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
WAY = f"{URL}/auth/federation/{os.environ.get('GP_PROVIDER', 'github')}"
PORT = int(os.environ.get("GP_CALLBACK_PORT", "8700"))


class Callback(BaseHTTPRequestHandler):
    """Takes the one request that brings the person back."""

    came = ""

    def do_GET(self) -> None:
        Callback.came = self.path
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"You can close this window.")

    def log_message(self, *_: object) -> None:
        """The code is in the address: keep it out of logs."""


started = requests.post(f"{WAY}/start", json={"redirect_uri": f"http://127.0.0.1:{PORT}/callback"}, timeout=30).json()
if "transaction" not in started:
    raise SystemExit(f"refused: {started['code']}")
with HTTPServer(("127.0.0.1", PORT), Callback) as server:
    webbrowser.open(started["authorization_url"])
    while not Callback.came.startswith("/callback"):
        server.handle_request()

back = {name: values[0] for name, values in parse_qs(urlsplit(Callback.came).query).items()}
answer = {name: back[name] for name in ("state", "code", "iss", "error") if name in back}
finished = requests.post(f"{WAY}/finish", json={**answer, "transaction": started["transaction"]}, timeout=30)
if not finished.ok:
    raise SystemExit(f"refused: {finished.json()['code']}")
bearer = {"Authorization": f"Bearer {finished.json()['access_token']}"}
print("hello,", requests.get(f"{URL}/users/me", headers=bearer, timeout=10).json()["username"])
