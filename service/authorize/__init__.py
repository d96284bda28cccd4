"""What happens when an application sends a browser here: the request is read, the person signs in and says yes, and the
answer goes back (RFC 6749 §4.1, OpenID Connect Core §3.1.2).

Owns the grammar of the request (`rules.py`, one rule a function in one visible table), whether to sign in, ask or
answer (`decision.py`), and the form of the answer. Refuses to know cookies, pages and HTTP: `web/oauth/` shows what is
decided here. Read `request.py` first, then `rules.py`, then `desk.py`.
"""

from service.authorize.decision import AskConsent, Grant, SignIn
from service.authorize.desk import AuthorizationDesk
from service.authorize.parameters import Parameters, parse_parameters
from service.authorize.refusals import SentBack
from service.authorize.request import AuthorizationRequest, Target

__all__ = [
    "AskConsent",
    "AuthorizationDesk",
    "AuthorizationRequest",
    "Grant",
    "Parameters",
    "SentBack",
    "SignIn",
    "Target",
    "parse_parameters",
]
