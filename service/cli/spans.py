"""Spans as options: `15m`, as in the settings."""

from datetime import timedelta

import typer


def span(text: str) -> timedelta:
    """Reads `30s`, `15m`, `1h`, `30d`; anything else is wrong usage."""
    from service.settings import parse_span

    try:
        return parse_span(text)
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None
