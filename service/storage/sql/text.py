"""Which texts a row can hold, and how a search is asked: the same on both databases."""

_LONGEST_ANSWERABLE = 1_000


def storable(text: str) -> bool:
    """Whether any row can hold this text: PostgreSQL keeps no NUL, neither database a lone surrogate.

    Such a text is a valid question whose answer is no.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def like_pattern(text: str) -> str | None:
    """The pattern, with `/` as the escape, of what contains this text; None when nothing can contain it."""
    if len(text) > _LONGEST_ANSWERABLE or not storable(text):
        return None
    return "%" + text.replace("/", "//").replace("%", "/%").replace("_", "/_") + "%"
