"""Sign in, call with the access token, sign out; without waiting for one answer at a time where you need many.

GP_USERNAME=alice GP_PASSWORD=… python httpx_sign_in.py
"""

import asyncio
import os
import sys

import httpx

URL = os.environ.get("GP_URL", "http://localhost:8000")


async def main() -> None:
    async with httpx.AsyncClient(base_url=URL) as client:
        credentials = {"username": os.environ["GP_USERNAME"], "password": os.environ["GP_PASSWORD"]}
        answer = await client.post("/auth/login", json=credentials)
        if answer.is_error:
            problem = answer.json()  # RFC 9457: branch on `code`, show `detail`
            sys.exit(f"{problem['code']}: {problem['detail']}")
        tokens = answer.json()
        print(f"signed in for {tokens['expires_in']} seconds")

        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        print("hello,", (await client.get("/users/me")).json()["username"])
        (await client.post("/auth/logout")).raise_for_status()
        print("after the sign-out:", (await client.get("/users/me")).status_code)


asyncio.run(main())
