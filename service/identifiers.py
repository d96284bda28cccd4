"""New ids: UUIDs that sort by the time of their making, as text."""

from uuid_utils.compat import uuid7


def new_id() -> str:
    """A UUIDv7 (RFC 9562 §5.7) in its canonical text form. An id is not a secret."""
    return str(uuid7())
