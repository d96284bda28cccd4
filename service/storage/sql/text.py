"""Which texts a row can hold, and how a search is asked: the same on both databases."""

from sqlalchemy import ColumnElement, bindparam, func

_LONGEST_ANSWERABLE = 1_000


def storable(text: str) -> bool:
    """Whether any row can hold this text: PostgreSQL keeps no NUL, neither database a lone surrogate. A question about
    a text that cannot be stored has the answer no."""
    return "\0" not in text and text.isascii() or _encodes(text)


def searchable(text: str) -> bool:
    """Whether a search for this text can find anything."""
    return len(text) <= _LONGEST_ANSWERABLE and storable(text)


def contains(column: ColumnElement[str], parameter: str, *, postgresql: bool) -> ColumnElement[bool]:
    """Whether the column contains the parameter's text, with no character special. An empty text is in everything."""
    find = func.strpos if postgresql else func.instr
    return find(column, bindparam(parameter)) > 0


def _encodes(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
