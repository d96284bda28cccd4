"""Letters to people: what they say in each language, and that they are sent, also after a restart.

Owns texts, the moment at which a link is made, tries and pauses. Refuses to know what a link leads to (`addresses/`)
and how a message travels (`outgoing/`). Read `writer.py` first.
"""

from service.mail.message import Carrier, Message
from service.mail.sender import LetterSender
from service.mail.writer import LetterWriter

__all__ = ["Carrier", "LetterSender", "LetterWriter", "Message"]
