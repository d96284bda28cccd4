"""HTTP Basic: by hand, and by the library.

GP_USERNAME=alice GP_PASSWORD=… python requests_basic.py
"""

import os
from base64 import b64encode

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
USERNAME, PASSWORD = os.environ["GP_USERNAME"], os.environ["GP_PASSWORD"]

credentials = b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
by_hand = requests.get(f"{URL}/users/me", headers={"Authorization": f"Basic {credentials}"}, timeout=10)
by_hand.raise_for_status()
print("by hand:", by_hand.json()["username"])

# Given text, requests would send Latin-1; given bytes, it sends UTF-8, as RFC 7617 asks.
by_library = requests.get(f"{URL}/users/me", auth=(USERNAME.encode(), PASSWORD.encode()), timeout=10)
by_library.raise_for_status()
print("by library:", by_library.json()["username"])
