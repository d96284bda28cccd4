"""Sign in, call with the access token, sign out.

GP_USERNAME=alice GP_PASSWORD=… python requests_sign_in.py
"""

import os
import sys

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")

credentials = {"username": os.environ["GP_USERNAME"], "password": os.environ["GP_PASSWORD"]}
answer = requests.post(f"{URL}/auth/login", json=credentials, timeout=10)
if not answer.ok:
    problem = answer.json()  # RFC 9457: branch on `code`, show `detail`
    sys.exit(f"{problem['code']}: {problem['detail']}")
tokens = answer.json()
print(f"signed in for {tokens['expires_in']} seconds")

with requests.Session() as session:
    session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    print("hello,", session.get(f"{URL}/users/me", timeout=10).json()["username"])
    session.post(f"{URL}/auth/logout", timeout=10).raise_for_status()
    print("after the sign-out:", session.get(f"{URL}/users/me", timeout=10).status_code)
