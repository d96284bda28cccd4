"""Signing out: at the wish of an application, and telling applications that a session has ended (OpenID Connect
RP-Initiated Logout 1.0, Back-Channel Logout 1.0).

Owns the grammar of the wish (`request.py`), the notice, the logout token and when a delivery is tried again. Refuses to
know why a session ended, and never makes a person wait: the notice is a row of the act that ended the session, the
sender works behind it. Read `request.py` for the first, `notice.py` and then `sender.py` for the second.
"""

from service.logout.notice import LogoutNotice, LogoutNotices
from service.logout.request import LogoutDesk, LogoutRequest
from service.logout.sender import LogoutSender
from service.logout.token import LogoutTokens

__all__ = ["LogoutDesk", "LogoutNotice", "LogoutNotices", "LogoutRequest", "LogoutSender", "LogoutTokens"]
