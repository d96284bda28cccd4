"""HTTP Basic: by hand, and by the library.

GP_USERNAME=alice GP_PASSWORD=… python httpx_basic.py
"""

import os
from base64 import b64encode

import httpx

URL = os.environ.get("GP_URL", "http://localhost:8000")
USERNAME, PASSWORD = os.environ["GP_USERNAME"], os.environ["GP_PASSWORD"]

credentials = b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
by_hand = httpx.get(f"{URL}/users/me", headers={"Authorization": f"Basic {credentials}"}).raise_for_status()
print("by hand:", by_hand.json()["username"])

by_library = httpx.get(f"{URL}/users/me", auth=httpx.BasicAuth(USERNAME, PASSWORD)).raise_for_status()
print("by library:", by_library.json()["username"])
