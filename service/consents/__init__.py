"""What people have allowed applications: given once, remembered, widened, withdrawn.

Owns the consent and what its withdrawal ends. Refuses to know how it is asked for, and what an application may ask for
at all. Read `consent.py` first.
"""

from service.consents.book import ConsentBook
from service.consents.consent import Consent, Consents

__all__ = ["Consent", "ConsentBook", "Consents"]
