"""A program on a terminal without a browser (RFC 8628): the person enters a short code on another device.

GP_CLIENT_ID=… python device.py
"""

import os
import time

import requests

URL = os.environ.get("GP_URL", "http://localhost:8000")
CLIENT = {"client_id": os.environ["GP_CLIENT_ID"]}

started = requests.post(
    f"{URL}/oauth2/device_authorization", data={**CLIENT, "scope": "openid profile"}, timeout=10
).json()
print("open", started["verification_uri"], "and enter", started["user_code"], flush=True)
print("or open", started["verification_uri_complete"], flush=True)

interval = started.get("interval", 5)
while True:
    time.sleep(interval)
    answer = requests.post(
        f"{URL}/oauth2/token",
        data={
            **CLIENT,
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "device_code": started["device_code"],
        },
        timeout=10,
    )
    if answer.ok:
        break
    error = answer.json()["error"]
    if error == "slow_down":
        interval += 5
    elif error != "authorization_pending":
        raise SystemExit(f"refused: {error}")

bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
print("hello,", requests.get(f"{URL}/userinfo", headers=bearer, timeout=10).json()["preferred_username"])
