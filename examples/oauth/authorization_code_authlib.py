"""A web application with a login button: Flask and Authlib, which finds everything by discovery.

GP_CLIENT_ID=… GP_CLIENT_SECRET=… flask --app authorization_code_authlib run --port 8701

The client's redirect URI is http://127.0.0.1:8701/callback.
"""

import os
import secrets

from authlib.integrations.flask_client import OAuth
from flask import Flask, redirect, session, url_for
from werkzeug.wrappers import Response

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY") or secrets.token_bytes(32)
oauth = OAuth(app)
gatepost = oauth.register(
    "gatepost",
    client_id=os.environ["GP_CLIENT_ID"],
    client_secret=os.environ["GP_CLIENT_SECRET"],
    server_metadata_url=f"{os.environ.get('GP_URL', 'http://localhost:8000')}/.well-known/openid-configuration",
    client_kwargs={"scope": "openid profile email", "code_challenge_method": "S256"},
)


@app.get("/")
def home() -> str:
    """Who is here."""
    name = session.get("name")
    return f"hello, {name}" if name else '<a href="/login">Sign in</a>'


@app.get("/login")
def login() -> Response:
    """Off to Gatepost's own pages."""
    away: Response = gatepost.authorize_redirect(url_for("callback", _external=True))
    return away


@app.get("/callback")
def callback() -> Response:
    """Back again: Authlib checks state, nonce, issuer and the ID token's signature."""
    token = gatepost.authorize_access_token()
    session["name"] = gatepost.userinfo(token=token)["preferred_username"]
    return redirect(url_for("home"))
