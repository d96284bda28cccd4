"""A device in words by which its owner knows it again, from the User-Agent field that it sent (RFC 9110 §10.1.5).

The field is what its sender likes it to be: the words are a help to the person, and nothing is decided by them.
"""

import re
from dataclasses import dataclass

_BROWSERS = (
    ("Edge", ("Edg/", "EdgA/", "EdgiOS/")),
    ("Opera", ("OPR/", "OPT/")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("Chrome", ("Chrome/", "CriOS/")),
    ("Safari", ("Safari/",)),
)
"""By the marks that they leave; most name others too, which come later here."""
_SYSTEMS = (
    ("iPhone", ("iPhone",)),
    ("iPad", ("iPad",)),
    ("Android", ("Android",)),
    ("Windows", ("Windows",)),
    ("ChromeOS", ("CrOS",)),
    ("macOS", ("Macintosh", "Mac OS X")),
    ("Linux", ("Linux", "X11")),
)
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,29}(?=[/ ]|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeviceWords:
    """A program's name and that of the system it runs on, each of 30 ASCII characters at most; empty where unknown."""

    program: str = ""
    system: str = ""

    def __str__(self) -> str:
        """Both in English."""
        if self.program and self.system:
            return f"{self.program} on {self.system}"
        return self.program or self.system or "Unknown device"


def describe_device(user_agent: str) -> DeviceWords:
    """The words for this field. A program that is no browser is called what it calls itself."""
    system = _first(_SYSTEMS, user_agent)
    if not user_agent.startswith("Mozilla/"):
        named = _PROGRAM.match(user_agent)
        return DeviceWords(named.group() if named else "", system)
    return DeviceWords(_first(_BROWSERS, user_agent), system)


def _first(known: tuple[tuple[str, tuple[str, ...]], ...], text: str) -> str:
    return next((name for name, marks in known if any(mark in text for mark in marks)), "")
