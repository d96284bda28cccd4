"""Tables for a spreadsheet (RFC 4180)."""

import csv
import io
import json
from collections.abc import Sequence


def cell(value: object) -> str:
    """A value in a spreadsheet: structures as JSON, and no text that it would take for a formula."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def line(values: Sequence[object]) -> str:
    """One line of such a table, with its end."""
    written = io.StringIO()
    csv.writer(written).writerow([cell(value) for value in values])
    return written.getvalue()
