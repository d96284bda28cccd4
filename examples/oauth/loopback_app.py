"""An application on a telephone or a desktop (RFC 8252): a public client, a loopback redirect on any port, refresh.

GP_CLIENT_ID=… python loopback_app.py

The client is public and has the redirect URI http://127.0.0.1/callback; the port is chosen when it runs. A telephone
would register a private-use scheme such as com.example.app:/callback instead; nothing else changes.
"""

import os
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer

from authlib.integrations.requests_client import OAuth2Session

URL = os.environ.get("GP_URL", "http://localhost:8000")


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


with HTTPServer(("127.0.0.1", 0), Callback) as server:
    here = f"http://127.0.0.1:{server.server_port}"
    app = OAuth2Session(
        os.environ["GP_CLIENT_ID"],
        scope="openid profile offline_access",
        redirect_uri=f"{here}/callback",
        token_endpoint_auth_method="none",
        code_challenge_method="S256",
    )
    verifier = os.urandom(48).hex()
    address, state = app.create_authorization_url(f"{URL}/oauth2/authorize", code_verifier=verifier)
    webbrowser.open(address)
    while not Callback.came.startswith("/callback"):
        server.handle_request()

app.fetch_token(f"{URL}/oauth2/token", authorization_response=here + Callback.came, state=state, code_verifier=verifier)
print("hello,", app.get(f"{URL}/userinfo").json()["preferred_username"])
app.refresh_token(f"{URL}/oauth2/token")
print("refreshed:", app.get(f"{URL}/userinfo").status_code)
