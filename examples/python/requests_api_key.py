"""An API key: in a header, and in the query for callers that cannot set headers.

GP_API_KEY=gp_key_… python requests_api_key.py
"""

import os

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
API_KEY = os.environ["GP_API_KEY"]

by_header = requests.get(f"{URL}/users/me", headers={"X-API-Key": API_KEY}, timeout=10)
by_header.raise_for_status()
print("header:", by_header.json()["username"])

# URLs end up in logs and histories. The server takes this only with GATEPOST_API_KEYS__ALLOW_IN_QUERY=true.
by_query = requests.get(f"{URL}/users/me", params={"api_key": API_KEY}, timeout=10)
by_query.raise_for_status()
print("query:", by_query.json()["username"])
