"""The Lua scripts, read once from `lua/`: each is one atomic step on one slot, by the clock of Redis."""

from datetime import timedelta
from hashlib import sha1
from importlib.resources import files

from service.storage.redis.keyspace import CLOSED_FOR, MARGIN

Command = tuple[str | bytes | int, ...]


class Script:
    """One script: `command` names it by digest, `in_full` carries its text for a server that does not know it yet."""

    def __init__(self, name: str) -> None:
        self._text = "\n".join((_CONSTANTS, _read("prelude"), _read(name)))
        self.digest: str = sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def command(self, keys: tuple[str, ...], *arguments: str | bytes | int) -> Command:
        """The call of this script as a command."""
        return ("EVALSHA", self.digest, len(keys), *keys, *arguments)

    def in_full(self, command: Command) -> Command:
        """The same call with the text in place of the digest."""
        return ("EVAL", self._text, *command[2:])


def _read(name: str) -> str:
    return files("service.storage.redis").joinpath("lua", f"{name}.lua").read_text("utf-8")


_CONSTANTS = "\n".join(
    (
        f"local MARGIN_MS = {MARGIN // timedelta(milliseconds=1)}",
        f"local CLOSED_US = {CLOSED_FOR // timedelta(microseconds=1)}",
    )
)

ROTATE = Script("rotate")
RESTORE = Script("restore")
CLOSE = Script("close")
FIND = Script("find")
RAISE = Script("raise")
APPEND = Script("append")
KEEP_CODE = Script("keep_code")
TAKE_CODE = Script("take_code")
KEEP_DEVICE = Script("keep_device")
DECIDE_DEVICE = Script("decide_device")
POLL_DEVICE = Script("poll_device")
ATTEMPT = Script("attempt")
DRAW = Script("draw")

_ALL = (
    *(ROTATE, RESTORE, CLOSE, FIND, RAISE, APPEND),
    *(KEEP_CODE, TAKE_CODE, KEEP_DEVICE, DECIDE_DEVICE, POLL_DEVICE, ATTEMPT, DRAW),
)
BY_DIGEST = {script.digest: script for script in _ALL}
