"""Spans and moments as options: `15m`, as in the settings."""

from datetime import UTC, datetime, timedelta

import typer


def span(text: str) -> timedelta:
    """Reads `30s`, `15m`, `1h`, `30d`; anything else is wrong usage."""
    from service.settings import parse_span

    try:
        return parse_span(text)
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None


def in_utc(typed: datetime | None) -> datetime | None:
    """A moment as it was typed, which is in UTC unless it says otherwise."""
    return None if typed is None else typed.replace(tzinfo=UTC) if typed.tzinfo is None else typed
