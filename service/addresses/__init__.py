"""What an e-mail address does for a person: it is proven, changed, registered with, recovered by.

Owns single-use links and what each leads to. No link is ever stored: a letter waits as the wish to write it, the
link is made when it is sent, and the ledger keeps its digest. Refuses to know how letters look and travel (`mail/`).
Read `link.py` first, then `recovery.py`.
"""

from service.addresses.letter import Letter, Letters
from service.addresses.link import Link, LinkDesk, Links, Purpose
from service.addresses.recovery import Recovery
from service.addresses.registration import Invitation, Registration, RegistrationMode
from service.addresses.verification import Verification

__all__ = [
    "Invitation",
    "Letter",
    "Letters",
    "Link",
    "LinkDesk",
    "Links",
    "Purpose",
    "Recovery",
    "Registration",
    "RegistrationMode",
    "Verification",
]
