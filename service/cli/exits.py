"""How commands end. Scripts may rely on these numbers."""

import sys
from enum import IntEnum
from typing import NoReturn


class Exit(IntEnum):
    """Exit codes. Interrupting a command ends it with 130."""

    OK = 0
    REFUSED = 1
    """What was asked cannot be done: no such user, name taken, a doctor's finding."""
    USAGE = 2
    """The command itself is wrong."""
    UNAVAILABLE = 3
    """A store does not answer; try again."""
    CONFIGURATION = 4
    """The configuration cannot be used."""
    CANNOT_START = 5
    """The port is in use, the embedded Valkey does not start, files cannot be written."""


class CannotStart(Exception):
    """Something on this machine is in the way; the text says what and what to do."""


def say(text: str) -> None:
    """One line to the operator, beside the output."""
    print(f"gatepost: {text}", file=sys.stderr, flush=True)


def leave(code: Exit, text: str) -> NoReturn:
    """End the command with a reason."""
    say(text)
    raise SystemExit(code)


def leave_for(error: Exception) -> NoReturn:
    """End the command as this error deserves. Raises it again when nobody foresaw it."""
    from service.protocol.errors import Delayed, Invalid, Refusal
    from service.settings import SettingsRefused
    from service.storage.embedded import EmbeddedValkeyError

    match error:
        case SettingsRefused():
            leave(Exit.CONFIGURATION, "\n  ".join(["the configuration cannot be used:", *error.mistakes]))
        case Delayed():
            leave(Exit.UNAVAILABLE, f"{error.public} ({error.detail})")
        case Invalid():
            leave(Exit.REFUSED, f"{error.field}: {error.public}")
        case Refusal():
            leave(Exit.REFUSED, error.public)
        case CannotStart() | EmbeddedValkeyError():
            leave(Exit.CANNOT_START, str(error))
        case _:
            raise error
