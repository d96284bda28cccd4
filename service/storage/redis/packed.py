"""Commands as they go over the wire (RESP: `*count`, then `$length` and text of each argument)."""

from hiredis import pack_command

from service.storage.redis.scripts import Command


def pack(command: Command) -> bytes:
    """The bytes of a command."""
    return pack_command(command)  # type: ignore[arg-type,no-any-return]  # it takes any length


class Outline:
    """A command that is asked again and again with another number in one place: packed once, but for that."""

    __slots__ = ("_after", "_before", "_packed_after", "_packed_before")

    def __init__(self, before: Command, after: Command) -> None:
        self._before = before
        self._after = after
        self._packed_before = b"*%d\r\n%b" % (len(before) + 1 + len(after), _arguments(before))
        self._packed_after = _arguments(after)

    def command(self, number: int) -> Command:
        """The command with this number."""
        return (*self._before, number, *self._after)

    def packed(self, number: int) -> bytes:
        """The bytes of it, for a tenth of what it takes to pack them."""
        digits = b"%d" % number
        return b"%b$%d\r\n%b\r\n%b" % (self._packed_before, len(digits), digits, self._packed_after)


class Questions:
    """Commands that are asked again and again in one go, each with the key by which its server is found."""

    __slots__ = ("_packed", "asked")

    def __init__(self, *asked: tuple[str, Command]) -> None:
        self.asked = asked
        self._packed = b""

    def packed(self) -> bytes:
        """The bytes of all; they are packed once."""
        if not self._packed:
            self._packed = b"".join([pack(command) for _, command in self.asked])
        return self._packed


def _arguments(command: Command) -> bytes:
    return pack(command).partition(b"\r\n")[2]
