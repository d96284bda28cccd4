"""What the pages of the account look like: one frame with its navigation, and in it forms and lists.

Owns the words and markup of these pages. Refuses to know who opens one, and to act. Read `frame.py` first.
"""

from service.web.pages.account.forms import (
    PASSWORD_FIELDS,
    PROFILE_FIELDS,
    email_page,
    password_page,
    profile_page,
)
from service.web.pages.account.frame import Frame, Place
from service.web.pages.account.keys import api_keys_page, key_made_page, new_key_page
from service.web.pages.account.lists import applications_page, linked_page, sessions_page

__all__ = [
    "PASSWORD_FIELDS",
    "PROFILE_FIELDS",
    "Frame",
    "Place",
    "api_keys_page",
    "applications_page",
    "email_page",
    "key_made_page",
    "linked_page",
    "new_key_page",
    "password_page",
    "profile_page",
    "sessions_page",
]
