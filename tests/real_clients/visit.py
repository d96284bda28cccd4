"""A browser as a program: `python -m tests.real_clients.visit URL` signs in, consents, and arrives where it is sent.

Who is at it: VISITOR and VISITOR_PASSWORD.
"""

import os
import sys
from urllib.parse import parse_qs, urlsplit

from tests.real_clients.person import Person


def main(url: str) -> None:
    """Go there, and on to the redirect URI that the address names."""
    redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
    with Person(os.environ["VISITOR"], os.environ["VISITOR_PASSWORD"]) as person:
        person.browser.get(person.go(url, until=redirect))


if __name__ == "__main__":
    main(*sys.argv[1:])
