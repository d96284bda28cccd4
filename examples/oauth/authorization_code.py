"""Sign a person in with a browser: authorization code and PKCE, the callback, the exchange; plain `requests`.

GP_CLIENT_ID=… GP_CLIENT_SECRET=… python authorization_code.py

The client's redirect URI is http://127.0.0.1:8700/callback. Without a secret it is a public client.
"""

import hashlib
import os
import secrets
import webbrowser
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
CLIENT_ID = os.environ["GP_CLIENT_ID"]
CLIENT_SECRET = os.environ.get("GP_CLIENT_SECRET")
PORT = int(os.environ.get("GP_CALLBACK_PORT", "8700"))
REDIRECT = f"http://127.0.0.1:{PORT}/callback"


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


metadata = requests.get(f"{URL}/.well-known/openid-configuration", timeout=10).json()
verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
asked = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": REDIRECT,
    "scope": "openid profile email",
    "state": state,
    "code_challenge": challenge,
    "code_challenge_method": "S256",
}
with HTTPServer(("127.0.0.1", PORT), Callback) as server:
    webbrowser.open(f"{metadata['authorization_endpoint']}?{urlencode(asked)}")
    while not Callback.came.startswith("/callback"):
        server.handle_request()

back = {name: values[0] for name, values in parse_qs(urlsplit(Callback.came).query).items()}
if back.get("state") != state or back.get("iss") != metadata["issuer"]:
    raise SystemExit("this answer is not to our question")
if "error" in back:
    raise SystemExit(f"refused: {back['error']}")
exchanged = requests.post(
    metadata["token_endpoint"],
    data={
        "grant_type": "authorization_code",
        "code": back["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
        **({} if CLIENT_SECRET else {"client_id": CLIENT_ID}),
    },
    auth=(CLIENT_ID, CLIENT_SECRET) if CLIENT_SECRET else None,
    timeout=10,
)
exchanged.raise_for_status()
bearer = {"Authorization": f"Bearer {exchanged.json()['access_token']}"}
print("hello,", requests.get(metadata["userinfo_endpoint"], headers=bearer, timeout=10).json()["preferred_username"])
