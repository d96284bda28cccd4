"""What Gatepost itself sends: bounded forms to addresses that an administrator registered, questions to identity
providers, and letters.

Owns timeouts, size limits, TLS, and that no redirect is followed. Refuses to know what is said. Read `http.py` first,
then `smtp.py`.
"""

from service.outgoing.heads import HeadAddress, HeadFile
from service.outgoing.http import OutgoingHttp
from service.outgoing.mail_folder import MailFolder
from service.outgoing.providers import ProviderCalls
from service.outgoing.smtp import SmtpCarrier

__all__ = ["HeadAddress", "HeadFile", "MailFolder", "OutgoingHttp", "ProviderCalls", "SmtpCarrier"]
