"""The one place where the server reads the time."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware, in UTC. Decisions take it as `now=`; only the edges call this."""
    return datetime.now(UTC)
