"""A service calls as itself: client credentials, then a protected resource.

GP_CLIENT_ID=… GP_CLIENT_SECRET=… python client_credentials.py       (a client with the scope orders:read)
"""

import os

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")

metadata = requests.get(f"{URL}/.well-known/oauth-authorization-server", timeout=10).json()
answer = requests.post(
    metadata["token_endpoint"],
    data={"grant_type": "client_credentials", "scope": "orders:read"},
    auth=(os.environ["GP_CLIENT_ID"], os.environ["GP_CLIENT_SECRET"]),
    timeout=10,
)
if not answer.ok:
    raise SystemExit(f"refused: {answer.json()['error']}")
token = answer.json()
print("token for", token["expires_in"], "seconds, scope", token["scope"])

resource = f"{URL}/auth/verify?scope=orders:read"  # in place of your own service
called = requests.get(resource, headers={"Authorization": f"Bearer {token['access_token']}"}, timeout=10)
print("resource:", called.status_code, called.json()["kind"])
