"""`/account`: the pages on which people look after their own account. They work without scripts.

Owns who may open a page (`visit.py`): somebody who has signed in in this browser, and lately where a change decides who
gets into the account. Every page is a form that posts to its own address. Refuses to decide anything else: each act is
one that the JSON API has too, and the look is `service/web/pages`. Read `visit.py` first, then `password.py`.
"""

from fastapi import APIRouter

from service.web.account import api_keys, applications, email, linked, password, profile, sessions

router = APIRouter()
for _room in (profile, password, email, linked, sessions, applications, api_keys):
    router.routes.extend(_room.router.routes)
