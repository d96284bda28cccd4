"""Scopes decide: tokens for reading, writing and administration, and what each is refused.

GP_CLIENT_ID=… GP_CLIENT_SECRET=… python scopes.py       (a client with orders:read, orders:write and admin:users:read)
"""

import os

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
CLIENT = (os.environ["GP_CLIENT_ID"], os.environ["GP_CLIENT_SECRET"])
RESOURCES = {
    "read orders": f"{URL}/auth/verify?scope=orders:read",  # in place of your own routes
    "write orders": f"{URL}/auth/verify?scope=orders:write",
    "list users": f"{URL}/admin/users",
}

for scope in ("orders:read", "orders:read orders:write", "admin:users:read"):
    asked = {"grant_type": "client_credentials", "scope": scope}
    token = requests.post(f"{URL}/oauth2/token", data=asked, auth=CLIENT, timeout=10).json()["access_token"]
    for what, resource in RESOURCES.items():
        answer = requests.get(resource, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        missing = "" if answer.ok else f", needs {answer.json()['scope']}"
        print(f"{scope}: {what} {answer.status_code}{missing}")
